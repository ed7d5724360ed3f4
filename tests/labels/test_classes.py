"""Maps of classes keep their ids; masks are class 1; what is a map of objects is refused."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.classes import as_classes, count_pixels, most_probable
from napari_unetseg.schema.errors import InputError


def test_ids_stay_as_they_are_gaps_and_ignored_pixels_too() -> None:
    labels = np.array([[0, 3, 3, 7, -1]])
    found = as_classes(labels, count=None)
    np.testing.assert_array_equal(found, labels)
    assert found.dtype == np.int32


@pytest.mark.parametrize("mask", [np.array([[False, True]]), np.array([[0, 255]], np.uint8), np.array([[0, 1]])])
def test_a_mask_holds_class_1(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(as_classes(mask, count=2), [[0, 1]])


@pytest.mark.parametrize(
    ("labels", "count", "message"),
    [
        (np.array([[1, 255]]), None, "0 to 254, got 255; number the classes"),
        (np.arange(22)[None], None, "ids up to 21, as a map of objects does"),
        (np.array([[0, 4]]), 4, "holds class 4, but there are 4 classes, 0 to 3"),
        (np.array([[0, -2]]), None, "got -2"),
        (np.array([[0.0, 1.0]]), None, "must be integers"),
    ],
)
def test_what_holds_no_classes_is_refused_with_its_name(labels: np.ndarray, count: int | None, message: str) -> None:
    with pytest.raises(InputError, match=rf"^a\.tif: .*{message}"):
        as_classes(labels, count=count, name="a.tif")


def test_many_classes_are_accepted_where_their_number_is_given() -> None:
    assert as_classes(np.arange(200)[None], count=200).max() == 199


def test_the_most_probable_class_is_the_argmax_and_of_two_alike_the_first() -> None:
    maps = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    maps[:, 0, 0] = (0.1, 0.3, 0.3, 0.2, 0.1)
    found = most_probable(maps)
    np.testing.assert_array_equal(found, maps.argmax(axis=0))
    assert found[0, 0] == 1
    assert found.dtype == np.uint32


def test_pixels_are_counted_but_for_those_nobody_annotated() -> None:
    assert count_pixels(np.array([[0, 2, 2, -1]]), count=4).tolist() == [1, 0, 2, 0]
    assert count_pixels(np.array([[0, 2]], np.uint32), count=3).tolist() == [1, 0, 1]
