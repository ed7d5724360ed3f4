"""Numbers that stand for many objects are told from cells in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.scattered import FEW, describe_scattered, is_scattered


@pytest.fixture
def classes() -> np.ndarray:
    """Draw single pixels of 1 and of 2 by turns, six pixels apart, four by four and three by three of them."""
    labels = np.zeros((20, 20), np.int32)
    labels[::6, ::6], labels[3:18:6, 3:18:6] = 1, 2
    return labels


def test_classes_lie_in_pieces_all_over_the_image(classes: np.ndarray) -> None:
    assert is_scattered(classes) == [True, True]
    assert is_scattered(np.stack([classes, classes])) == [True, True]
    assert is_scattered(np.where(classes == 0, -1, classes)) == [True, True]


def test_a_cell_in_pieces_is_a_cell_beside_others(classes: np.ndarray) -> None:
    small = np.zeros((40, 40), np.int32)
    small[:10, :10] = classes[:10, :10] == 1
    assert is_scattered(small) == [True]  # the only number
    small[20:30, 20:30] = 2
    assert is_scattered(small) == [False, False]


def test_three_pieces_are_too_few_and_corners_hold_together() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[0, ::4] = 1
    assert is_scattered(labels) == [False]
    assert is_scattered(np.eye(9, dtype=np.int32)) == [False]
    labels[8, 8] = 1
    assert is_scattered(labels) == [True]


def test_many_numbers_are_objects(classes: np.ndarray) -> None:
    classes[19, 1 : 2 * FEW : 2] = 1 + np.arange(FEW)
    assert is_scattered(classes) == [True, True, *[False] * (FEW - 2)]
    classes[19, 19] = FEW + 1
    assert is_scattered(classes) == [False] * (FEW + 1)
    assert is_scattered(np.zeros((4, 4), np.int32)) == []


def test_more_than_half_of_all_numbers_decide() -> None:
    assert describe_scattered([]) == describe_scattered([[]]) == ""
    assert describe_scattered([[True, True], [False, False], []]) == ""
    assert describe_scattered([[True, True], [True, True, False]]).startswith("at most 3 numbers, most of them in many")
    assert describe_scattered([[True], [True]]) == "one number in many separate pieces, as a mask does"
