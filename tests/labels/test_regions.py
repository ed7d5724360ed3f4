"""Errors of partitions on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.regions import region_errors, regions_of


def two_cells() -> np.ndarray:
    """1 1 1 1 0 2 2 2 2, four times: two cells of 16 pixels with a border between them."""
    return np.repeat(np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2]]), 4, axis=0)


def test_regions_are_connected_through_faces() -> None:
    background = np.array([[1, 0], [0, 1]], bool)
    np.testing.assert_array_equal(regions_of(background), [[1, 0], [0, 2]])


def test_the_truth_itself_has_no_error_whatever_its_numbers() -> None:
    cells = two_cells()
    for found in (cells, np.where(cells, 3 - cells, 0)):
        assert region_errors(found, cells) == {"rand_error": 0, "voi_split": 0, "voi_merged": 0}


def test_a_missing_border_merges_two_cells() -> None:
    errors = region_errors(np.ones_like(two_cells()), two_cells())
    # of 32² pairs of pixels that are found together half are truly: precision 1/2, recall 1, F = 2/3
    assert errors["rand_error"] == pytest.approx(
        1 / 3, abs=0.02
    )  # scikit-image leaves out pairs of a pixel with itself
    assert errors["voi_merged"] == pytest.approx(1)
    assert errors["voi_split"] == pytest.approx(0)


def test_a_border_too_many_splits_a_cell() -> None:
    found = two_cells()
    found[:, :2] = 3
    errors = region_errors(found, two_cells())
    assert errors["voi_split"] == pytest.approx(0.5)  # one of two bits for the half of the pixels that lie in the cell
    assert errors["voi_merged"] == pytest.approx(0)


def test_the_thickness_of_a_border_is_no_error() -> None:
    found = two_cells()
    found[:, 3:6] = 0
    assert region_errors(found, two_cells())["rand_error"] == 0


@pytest.mark.parametrize("truth", [np.zeros((4, 4), int), np.diag([1, 2, 3, 4])])
def test_without_regions_or_with_single_pixels_there_is_no_error(truth: np.ndarray) -> None:
    assert region_errors(truth, truth)["rand_error"] == 0
