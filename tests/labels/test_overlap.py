from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest

from napari_unetseg.labels.overlap import Overlaps, add_overlaps, count_overlaps


def test_pairs_areas_and_foreground():
    pairs = count_overlaps(np.array([[5, 5, 5, 0], [0, 9, 0, 0]]), np.array([[1, 1, 2, 2], [0, 2, 0, 0]]))
    assert list(zip(pairs.first_ids[pairs.first], pairs.second_ids[pairs.second], strict=True)) == [
        (5, 1),
        (5, 2),
        (9, 2),
    ]
    assert list(pairs.shared) == [2, 1, 1]
    assert list(pairs.union) == [3, 5, 3]
    assert list(pairs.first_area[1:]) == [3, 1]
    assert list(pairs.second_area[1:]) == [2, 3]
    np.testing.assert_array_equal(pairs.foreground, [[3, 1], [0, 4]])


def test_ignored_pixels_of_either_map_do_not_count():
    pairs = count_overlaps(np.array([1, 1, -1, 0]), np.array([2, -1, 2, 2]))
    assert (pairs.shared, pairs.union) == (1, 2)
    assert pairs.foreground.sum() == 2


def test_counts_equal_those_of_every_pair_of_masks():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 6, (2, 30, 30))
    pairs = count_overlaps(first, second)
    for a, b, shared, union in zip(pairs.first, pairs.second, pairs.shared, pairs.union, strict=True):
        assert shared == np.sum((first == a) & (second == b))
        assert union == np.sum((first == a) | (second == b))
    assert len(pairs.shared) == 25


def test_empty_maps_have_no_pairs():
    for shape in ((0, 3), (2, 2)):
        pairs = count_overlaps(np.zeros(shape, int), np.zeros(shape, int))
        assert pairs.shared.size == pairs.iou.size == 0


def _assert_same(one: Overlaps, other: Overlaps) -> None:
    for field in fields(Overlaps):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), err_msg=field.name)


def test_parts_add_up_by_hand():
    """Object 5 of the first map lies in both parts, 9 in the second only.

    5 5 . | 5 . 9      1 1 1 | 7 . 7
    """
    left = count_overlaps(np.array([[5, 5, 0]]), np.array([[1, 1, 1]]))
    right = count_overlaps(np.array([[5, 0, 9]]), np.array([[7, 0, 7]]))
    pairs = add_overlaps([left, right])
    assert pairs.first_ids.tolist() == [0, 5, 9]
    assert pairs.second_ids.tolist() == [0, 1, 7]
    assert list(zip(pairs.first, pairs.second, pairs.shared, strict=True)) == [(1, 1, 2), (1, 2, 1), (2, 2, 1)]
    assert pairs.first_area.tolist() == [2, 3, 1]
    assert pairs.second_area.tolist() == [1, 3, 2]
    assert pairs.foreground.tolist() == [[1, 1], [0, 4]]
    assert pairs.iou.tolist() == [2 / 4, 1 / 4, 1 / 2]


@pytest.mark.parametrize("shape", [(31, 40), (9, 12, 14)])
@pytest.mark.parametrize("highest", [8, 300])
def test_parts_in_any_order_add_up_to_the_whole(shape, highest):
    rng = np.random.default_rng(highest)
    first, second = rng.integers(-1, highest, (2, *shape))
    whole = count_overlaps(first, second)
    edges = [0, 2, 5, 9, shape[-1]]
    parts = [
        count_overlaps(first[half, ..., start:stop], second[half, ..., start:stop])
        for half in (slice(0, 4), slice(4, None))
        for start, stop in pairwise(edges)
    ]
    _assert_same(add_overlaps(parts), whole)
    _assert_same(add_overlaps(parts[::-1]), whole)
    _assert_same(add_overlaps([add_overlaps(parts[:3]), add_overlaps(parts[3:])]), whole)


def test_adding_one_part_or_parts_without_objects_changes_nothing():
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (2, 6, 7)).astype(np.uint32)
    whole, nothing = count_overlaps(first, second), count_overlaps(*np.zeros((2, 0, 3), np.uint32))
    _assert_same(add_overlaps([whole]), whole)
    _assert_same(add_overlaps([nothing, whole, nothing]), whole)
    dark = count_overlaps(*np.zeros((2, 3, 3), np.uint32))
    both = add_overlaps([dark, dark])
    assert both.foreground.tolist() == [[18, 0], [0, 0]]
    assert both.shared.size == both.iou.size == 0
    assert (both.first_area.tolist(), both.first_ids.tolist()) == ([18], [0])


def test_parts_in_which_the_maps_share_nothing_still_count_for_the_union():
    apart = count_overlaps(np.array([[5, 5, 5, 0]]), np.array([[0, 0, 0, 1]]))
    together = count_overlaps(np.array([[5]]), np.array([[1]]))
    assert apart.shared.size == 0
    assert add_overlaps([apart, together]).iou.tolist() == [1 / 5]
