import numpy as np
import pytest

from napari_unetseg.labels.join import link_slices
from napari_unetseg.schema.errors import InputError


def test_objects_continue_the_one_they_overlap_best():
    previous = np.array([[7, 7, 7, 7, 3, 3, 3, 3]], np.uint32)
    current = np.array([[0, 1, 1, 1, 1, 0, 2, 2]], np.uint32)
    linked, next_id = link_slices(previous, current, overlap=0.25, next_id=10)
    assert linked.dtype == np.uint32
    np.testing.assert_array_equal(linked, [[0, 7, 7, 7, 7, 0, 3, 3]])
    assert next_id == 10


def test_only_one_of_two_halves_continues():
    previous = np.array([[5, 5, 5, 5, 5, 5]])
    current = np.array([[1, 1, 0, 2, 2, 2]])
    linked, next_id = link_slices(previous, current, overlap=0.25, next_id=6)
    np.testing.assert_array_equal(linked, [[6, 6, 0, 5, 5, 5]])
    assert next_id == 7


def test_equal_halves_are_taken_in_the_order_of_their_ids():
    linked, _ = link_slices(np.array([[5, 5, 5, 5]]), np.array([[1, 1, 2, 2]]), overlap=0.5, next_id=6)
    np.testing.assert_array_equal(linked, [[5, 5, 6, 6]])


@pytest.mark.parametrize(("overlap", "expected"), [(0.5, 4), (0.51, 9)])
def test_overlap_is_an_inclusive_threshold_of_iou(overlap, expected):
    linked, next_id = link_slices(np.array([[4, 4, 0]]), np.array([[1, 0, 0]]), overlap=overlap, next_id=9)
    assert linked[0, 0] == expected
    assert next_id == (9 if expected == 4 else 10)


def test_identical_slices_keep_all_ids():
    slice_ = np.array([[0, 900, 2**32 - 1], [5, 900, 0]], np.uint32)
    linked, next_id = link_slices(slice_, slice_, overlap=1, next_id=11)
    np.testing.assert_array_equal(linked, slice_)
    assert next_id == 11


def test_empty_slices_and_new_objects():
    objects, nothing = np.array([[1, 0, 2]]), np.zeros((1, 3), int)
    linked, next_id = link_slices(nothing, objects, overlap=0.25, next_id=5)
    np.testing.assert_array_equal(linked, [[5, 0, 6]])
    assert next_id == 7
    linked, next_id = link_slices(objects, nothing, overlap=0.25, next_id=5)
    assert not linked.any()
    assert next_id == 5


def test_slices_of_other_size_are_refused():
    with pytest.raises(InputError, match=r"\(2, 3\) and \(3, 2\)"):
        link_slices(np.zeros((2, 3), int), np.zeros((3, 2), int), overlap=0.25, next_id=1)
