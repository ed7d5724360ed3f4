import numpy as np

from napari_unetseg.labels.overlap import count_overlaps


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
