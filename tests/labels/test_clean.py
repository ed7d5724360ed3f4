import numpy as np
import pytest

from napari_unetseg.labels.clean import fill_holes, renumber


def test_hole_of_one_object_is_filled_and_others_stay():
    labels = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 2, 2, 2, 0],
            [0, 1, 0, 1, 0, 2, 0, 0],
            [0, 1, 1, 1, 2, 2, 2, 0],
        ],
        np.int32,
    )
    expected = labels.copy()
    expected[2, 2] = 1  # the hole between 1 and 2, and the bay open to the right, stay
    before = labels.copy()
    np.testing.assert_array_equal(fill_holes(labels), expected)
    np.testing.assert_array_equal(labels, before)


def test_hole_at_the_image_border_or_open_through_a_corner_stays():
    at_border = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 1]], np.int32)
    np.testing.assert_array_equal(fill_holes(at_border), at_border)
    through_corner = np.array([[0, 0, 0, 0, 0], [0, 0, 1, 1, 0], [0, 1, 0, 1, 0], [0, 1, 1, 1, 0]], np.int32)
    np.testing.assert_array_equal(fill_holes(through_corner), through_corner)


def test_object_within_an_object_stays():
    labels = np.ones((5, 5), np.int32)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 2
    np.testing.assert_array_equal(fill_holes(labels), labels)


def test_hole_in_a_volume_must_be_closed_on_all_sides():
    labels = np.ones((3, 3, 3), np.uint32)
    labels[1, 1, 1] = 0
    assert fill_holes(labels).all()
    labels[0, 1, 1] = 0
    np.testing.assert_array_equal(fill_holes(labels), labels)


@pytest.mark.parametrize("labels", [np.ones((3, 3), np.int32), np.zeros((3, 3), np.int32), np.zeros((0, 3), np.int32)])
def test_nothing_to_fill(labels):
    np.testing.assert_array_equal(fill_holes(labels), labels)


def test_renumber_follows_the_raster():
    numbered = renumber(np.array([[0, 7, 7], [2, 2, 7], [9, 0, 2]], np.int32))
    assert numbered.dtype == np.uint32
    np.testing.assert_array_equal(numbered, [[0, 1, 1], [2, 2, 1], [3, 0, 2]])
    np.testing.assert_array_equal(renumber(numbered), numbered)
    assert renumber(np.zeros((0, 3), np.int32)).shape == (0, 3)


def test_renumber_leaves_out_what_is_not_kept():
    labels = np.array([[0, 7, 7], [2, 2, 7], [9, 0, 2]], np.int32)
    is_kept = np.ones(10, bool)
    is_kept[7] = False
    np.testing.assert_array_equal(renumber(labels, is_kept=is_kept), [[0, 0, 0], [1, 1, 0], [2, 0, 1]])
    assert not renumber(labels, is_kept=np.zeros(10, bool)).any()
