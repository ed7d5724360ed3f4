import numpy as np
import pytest

from napari_unetseg.labels.join import continued_ids, link_slices
from napari_unetseg.labels.overlap import add_overlaps, count_overlaps
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


def test_continued_ids_are_listed_by_the_second_object():
    pairs = count_overlaps(np.array([[70, 70, 30, 30, 0, 0]]), np.array([[0, 4, 9, 9, 2, 0]]))
    assert pairs.second_ids.tolist() == [0, 2, 4, 9]
    table, next_id = continued_ids(pairs, overlap=0.25, next_id=71)
    assert table.dtype == np.uint32
    assert table.tolist() == [0, 71, 70, 30]
    assert next_id == 72


def test_ids_continued_from_parts_are_those_of_whole_slices():
    rng = np.random.default_rng(3)
    previous, current = (np.kron(rng.integers(0, 30, (6, 6)), np.ones((5, 5), int)) for _ in range(2))
    current = np.where(rng.random((30, 30)) < 0.6, previous, current)
    linked, following = link_slices(previous, current, overlap=0.1, next_id=30)
    parts = add_overlaps([count_overlaps(previous[:, x : x + 7], current[:, x : x + 7]) for x in range(0, 30, 7)])
    table, next_id = continued_ids(parts, overlap=0.1, next_id=30)
    np.testing.assert_array_equal(table[np.searchsorted(parts.second_ids, current)], linked)
    assert next_id == following > 30
