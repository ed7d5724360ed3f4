import numpy as np
import pytest

from napari_unetseg.labels.clean import fill_holes, raster_order


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


def test_raster_order_counts_as_the_ids_are_met():
    ids = np.array([7, 7, 2, 2, 7, 9, 2], np.int32)
    everything = np.ones(10, bool)
    np.testing.assert_array_equal(raster_order(ids, is_kept=everything), [0, 0, 2, 0, 0, 0, 0, 1, 0, 3])
    without = everything.copy()
    without[7] = False
    np.testing.assert_array_equal(raster_order(ids, is_kept=without), [0, 0, 1, 0, 0, 0, 0, 0, 0, 2])
    assert raster_order(ids, is_kept=everything).dtype == np.uint32
    assert not raster_order(ids[:0], is_kept=everything).any()
