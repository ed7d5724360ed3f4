"""Edits change the objects they are for, and nothing beside them."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels import edit
from napari_unetseg.schema.errors import InputError


def applied(labels: np.ndarray, patch: edit.Patch) -> np.ndarray:
    after = labels.copy()
    after[patch.box] = patch.labels
    return after


def grid(*rows: str) -> np.ndarray:
    return np.array([[int(digit) for digit in row.split()] for row in rows], dtype=np.int32)


def test_merging_gives_one_id_and_closes_a_gap_of_one_pixel():
    labels = grid("1 1 0 2 2 3", "1 1 0 2 2 3", "1 0 0 0 2 3")
    merged = applied(labels, edit.merge(labels, [1, 2]))
    np.testing.assert_array_equal(merged, grid("1 1 1 1 1 3", "1 1 1 1 1 3", "1 0 1 0 1 3"))


def test_merging_needs_two_objects_that_are_there():
    labels = grid("1 1 0 2")
    with pytest.raises(InputError, match="two objects"):
        edit.merge(labels, [1, 1])
    with pytest.raises(InputError, match="no object 1, 0"):
        edit.merge(labels, [1, 0])


def test_the_first_plane_of_a_merge_is_that_of_the_first_id_also_far_apart():
    labels = np.zeros((4, 9), np.uint16)
    labels[0, 0], labels[3, 8] = 5, 2
    merged = applied(labels, edit.merge(labels, [2, 5]))
    assert set(np.unique(merged)) == {0, 2}
    assert (merged > 0).sum() == 2


def test_a_line_splits_and_leaves_no_gap():
    labels = np.zeros((12, 22), np.int32)
    labels[2:10, 1:21] = 7
    labels[0, :] = 3
    patch = edit.split(labels, 7, np.array([[0.0, 8.0], [11.0, 8.0]]), next_id=9)
    after = applied(labels, patch)
    assert patch.ids == (7, 9)
    np.testing.assert_array_equal((after == 7) | (after == 9), labels == 7)
    assert (after[2:10, 9:21] == 7).all()  # the larger piece keeps the id
    assert (after[2:10, 1:8] == 9).all()
    assert (after[0] == 3).all()


@pytest.mark.parametrize("ends", [((5, 3), (8, 17)), ((3, 3), (8, 10)), ((3, 8), (8, 12))])
def test_a_slanted_or_short_line_splits_in_two_face_connected_pieces(ends):
    from scipy import ndimage

    rows, columns = np.indices((12, 22))
    labels = (((rows - 5.5) / 5) ** 2 + ((columns - 10.5) / 9) ** 2 <= 1).astype(np.uint8) * 4
    after = applied(labels, edit.split(labels, 4, np.array(ends, float), next_id=5))
    assert set(np.unique(after)) == {0, 4, 5}
    assert [ndimage.label(after == one)[1] for one in (4, 5)] == [1, 1]


def test_a_line_beside_the_object_is_refused():
    labels = np.zeros((10, 10), np.int32)
    labels[4:6, 4:6] = 1
    with pytest.raises(InputError, match="does not cut object 1"):
        edit.split(labels, 1, np.array([[0.0, 0.0], [0.0, 9.0]]), next_id=2)


def test_a_line_is_meant_for_the_object_it_crosses():
    labels = grid("1 1 1 2 2 2 2 0", "1 1 1 2 2 2 2 0", "0 0 0 0 0 0 0 0")
    across = np.array([[0.0, 1.0], [0.0, 7.0]])
    assert edit.cut_by(labels, across, preferred=0) == 2
    assert edit.cut_by(labels, across, preferred=1) == 1
    assert edit.cut_by(labels, np.array([[2.0, 0.0], [2.0, 7.0]]), preferred=1) == 0
    assert edit.cut_by(labels, np.array([[-9.0, 3.4], [1.2, 3.4]]), preferred=0) == 2
    assert edit.cut_by(labels, np.array([[-9.0, -5.0], [-3.0, -1.0]]), preferred=0) == 0


def test_a_type_without_room_for_another_id_says_so():
    labels = np.full((3, 9), 255, np.uint8)
    with pytest.raises(InputError, match="uint8 holds ids up to 255"):
        edit.split(labels, 255, np.array([[0.0, 4.0], [2.0, 4.0]]), next_id=256)


def test_a_stack_is_cut_through_its_planes():
    labels = np.ones((3, 4, 10), np.int32)
    after = applied(labels, edit.split(labels, 1, np.array([[-1.0, 3.0], [4.0, 3.0]]), next_id=2))
    assert all(set(np.unique(plane)) == {1, 2} for plane in after)


def test_deleting_leaves_the_others():
    labels = grid("1 2 2", "1 2 0")
    np.testing.assert_array_equal(applied(labels, edit.delete(labels, 2)), grid("1 0 0", "1 0 0"))
    with pytest.raises(InputError, match="no object 2 any more"):
        edit.delete(applied(labels, edit.delete(labels, 2)), 2)


def test_holes_are_filled_but_not_what_lies_in_them():
    labels = grid("1 1 1 1 1", "1 0 1 0 1", "1 1 1 2 1", "1 1 1 1 1")
    filled = applied(labels, edit.fill_holes(labels, 1))
    np.testing.assert_array_equal(filled, grid("1 1 1 1 1", "1 1 1 1 1", "1 1 1 2 1", "1 1 1 1 1"))


def test_neighbours_come_by_the_length_of_contact():
    labels = grid("1 1 1 1 0 5", "2 3 3 3 0 0", "0 0 0 0 0 4")
    assert edit.neighbours(labels, 1, reach=1) == [3, 2]
    assert set(edit.neighbours(labels, 1)) == {2, 3, 4, 5}


def test_an_old_box_saves_the_search_but_never_misleads():
    labels = np.zeros((40, 40), np.int32)
    labels[10:20, 10:20] = 1
    true = (slice(10, 20), slice(10, 20))
    wide = (slice(5, 30), slice(5, 30))
    stale = (slice(10, 15), slice(12, 18))
    gone = (slice(30, 35), slice(30, 35))
    assert [edit.find_box(labels, [1], within=one) for one in (None, true, wide, stale, gone)] == [true] * 5
    assert edit.find_box(labels, [2], within=true) is None
