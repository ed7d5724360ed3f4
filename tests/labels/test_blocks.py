"""Objects of blocks: one key in all blocks that see them whole, one id once those that were cut are joined."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.images.blocks import cut, within
from napari_unetseg.images.lattice import Lattice
from napari_unetseg.labels.blocks import Part, join_blocks, part_of
from napari_unetseg.labels.clean import raster_order


def _parts(labels, *, counts, margin):
    """Cut whole labels into blocks that label anew what they see; return them with what they know."""
    ndim = labels.ndim
    lattice = Lattice(divisor=(1,) * ndim, halo=(0,) * ndim)
    blocks = cut(labels.shape, counts=counts, margin=(margin,) * ndim, lattice=lattice)
    found = []
    for block in blocks:
        sides = block.open_sides(labels.shape)
        found.append(
            part_of(
                _decoded(labels[block.seen]),
                core=within(block.core, block.seen),
                start=tuple(side.start for side in block.seen),
                shape=labels.shape,
                open_sides=sides,
            )
        )
    return blocks, found


def _decoded(labels):
    """Give pieces that do not hang together in this crop ids of their own, as a block that sees no more must."""
    pieces = np.zeros(labels.shape, np.int64)
    for index in np.unique(labels[labels > 0]):
        part, _ = ndimage.label(labels == index)
        pieces[part > 0] = part[part > 0] + pieces.max()
    return _renumbered(pieces)


def _renumbered(labels):
    """Number the objects 1..n as a raster scan meets them."""
    ids = labels[labels > 0]
    return raster_order(ids, is_kept=np.arange(labels.max() + 1) > 0)[labels]


def _neighbours(blocks):
    """Return the pairs of blocks that share a side."""
    pairs = []
    for (i, one), (j, other) in product(enumerate(blocks), repeat=2):
        differing = [axis for axis, (a, b) in enumerate(zip(one.core, other.core, strict=True)) if a != b]
        if len(differing) == 1 and one.core[differing[0]].stop == other.core[differing[0]].start:
            pairs.append((i, j, differing[0]))
    return pairs


def _joined(blocks, parts):
    return join_blocks([part.faces for part in parts].__getitem__, neighbours=_neighbours(blocks))


def _assembled(labels, *, counts, margin):
    """Return the frame as its blocks write it: the key of each pixel, -1 for background."""
    blocks, parts = _parts(labels, counts=counts, margin=margin)
    joined = _joined(blocks, parts)
    keys = np.full(labels.shape, -2, np.int64)
    for block, part in zip(blocks, parts, strict=True):
        one = np.array([joined.get(int(key), int(key)) for key in part.keys])
        keys[block.core] = one[part.labels]
    return keys


def _keys_of(labels):
    """Return for each pixel the place of the first pixel of its object, -1 for background."""
    keys = np.full(labels.shape, -1, np.int64)
    for index in np.unique(labels[labels > 0]):
        keys[labels == index] = np.flatnonzero(labels == index)[0]
    return keys


def _first_of(written, block, *, shape):
    """Return for each id the place in the frame of the first of the pixels that the block writes."""
    places = np.arange(math.prod(shape)).reshape(shape)[block.core]
    return [-1, *(places[written == index].min() for index in range(1, int(written.max()) + 1))]


def _boxes(*shape, count, longest, seed):
    """Return boxes of 1 to `longest` pixels with ids in no order; later ones lie on top, so many touch."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.uint32)
    for index in rng.permutation(count) + 1:
        corner = [int(rng.integers(0, n)) for n in shape]
        edges = rng.integers(1, longest + 1, len(shape))
        labels[tuple(slice(c, c + int(e)) for c, e in zip(corner, edges, strict=True))] = index
    return labels


@pytest.fixture
def plane():
    """Two blocks of 4 columns that see 2 more; frame columns 0..7.

    seen by the first  |0 0 1 1 1 0|. .     1 touches nothing open: whole in both
    seen by the second  . .|1 1 1 0 0 2|    .. but here it touches the open side: cut
    """
    return np.array([[0, 0, 1, 1, 1, 0, 0, 2]], np.uint32)


def test_what_a_block_knows_by_hand(plane) -> None:
    (_, _), (first, second) = _parts(plane, counts=(1, 2), margin=2)
    assert isinstance(first, Part)
    assert first.labels.dtype == np.uint32
    assert first.labels.tolist() == [[0, 0, 1, 1]]
    assert first.keys.tolist() == [-1, 2]
    assert first.is_cut.tolist() == [False, False]
    assert first.first.tolist() == [-1, 2]
    assert second.labels.tolist() == [[1, 0, 0, 2]]
    assert second.keys.tolist() == [-1, 2, 7]
    assert second.first.tolist() == [-1, 4, 7]  # of object 1 it writes the last pixel only
    assert second.is_cut.tolist() == [False, True, False]
    assert set(first.faces) == {(1, 1)}
    assert set(second.faces) == {(1, -1)}
    assert [layer.tolist() for layer in first.faces[1, 1]] == [[2], [2]]  # columns 3 and 4
    assert [layer.tolist() for layer in second.faces[1, -1]] == [[2], [2]]  # columns 4 and 3


def test_keys_are_places_in_the_frame_not_in_the_block() -> None:
    """Seen from place (10, 20) of the frame on; the core is the middle, 2 x 2 pixels.

    1 . . .
    . 2 . .
    . . 3 3
    . . . .
    """
    seen = np.array([[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 3], [0, 0, 0, 0]], np.uint32)
    part = part_of(seen, core=(slice(1, 3),) * 2, start=(10, 20), shape=(50, 100), open_sides=((True, True),) * 2)
    assert part.keys.tolist() == [-1, 11 * 100 + 21, 12 * 100 + 22]
    assert part.labels.tolist() == [[1, 0], [0, 2]]
    assert part.is_cut.tolist() == [False, False, True]
    assert part.faces[1, 1][1].tolist() == [-1, 12 * 100 + 22]
    volume = np.zeros((3, 4, 5), np.uint32)
    volume[1:, 2, 3] = 1
    sides = ((False, False),) * 3
    part = part_of(
        volume, core=(slice(0, 3), slice(0, 4), slice(0, 5)), start=(7, 8, 9), shape=(10, 20, 30), open_sides=sides
    )
    assert part.keys.tolist() == [-1, (8 * 20 + 10) * 30 + 12]


def test_ids_are_numbered_anew_where_the_core_lacks_some() -> None:
    seen = np.array([[1, 0, 2, 0, 3, 0, 4]], np.uint32)
    part = part_of(seen, core=(slice(0, 1), slice(2, 5)), start=(0, 0), shape=(1, 7), open_sides=((False, False),) * 2)
    assert part.labels.tolist() == [[1, 0, 2]]
    assert part.keys.tolist() == [-1, 2, 4]
    assert part.faces[1, -1][1].tolist() == [-1]
    assert part.faces[1, 1][1].tolist() == [-1]


def test_an_object_of_which_the_core_has_none_is_still_known_beyond() -> None:
    seen = np.array([[1, 0, 0, 2]], np.uint32)
    part = part_of(seen, core=(slice(0, 1), slice(1, 3)), start=(0, 4), shape=(1, 9), open_sides=((False,) * 2,) * 2)
    assert part.keys.tolist() == [-1]
    assert not part.labels.any()
    assert part.faces[1, -1][1].tolist() == [4]
    assert part.faces[1, 1][1].tolist() == [7]


@pytest.mark.parametrize(("axis", "end", "expected"), [(0, 0, [1, 2]), (0, 1, [3, 4]), (1, 0, [1, 3]), (1, 1, [2, 4])])
def test_objects_on_an_open_side_are_cut(axis, end, expected) -> None:
    """One object in each corner; one side is open, and the core ends a pixel before it.

    1 1 . 2 2
    1 1 . 2 2
    . . . . .
    3 3 . 4 4
    3 3 . 4 4
    """
    labels = np.kron([[1, 0, 2], [0, 0, 0], [3, 0, 4]], np.ones((2, 2), np.uint32))[[0, 1, 2, 4, 5]][:, [0, 1, 2, 4, 5]]
    sides, core = [[False, False], [False, False]], [slice(0, 5), slice(0, 5)]
    sides[axis][end] = True
    core[axis] = slice(0, 4) if end else slice(1, 5)
    part = part_of(
        labels.astype(np.uint32), core=tuple(core), start=(5, 5), shape=(20, 20), open_sides=tuple(map(tuple, sides))
    )
    assert np.flatnonzero(part.is_cut).tolist() == expected
    assert set(part.faces) == {(axis, 1 if end else -1)}


def test_nothing_is_cut_where_no_side_is_open() -> None:
    labels = _renumbered(_boxes(20, 20, count=12, longest=9, seed=0))
    part = part_of(labels, core=(slice(0, 20),) * 2, start=(0, 0), shape=(20, 20), open_sides=((False,) * 2,) * 2)
    assert not part.is_cut.any()
    assert part.faces == {}
    np.testing.assert_array_equal(part.labels, labels)


@pytest.mark.parametrize(("shape", "counts"), [((61, 47), (4, 3)), ((22, 26, 24), (2, 3, 2))])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_that_see_an_object_whole_give_it_the_key_of_the_frame(shape, counts, seed) -> None:
    labels = _decoded(_boxes(*shape, count=40, longest=6, seed=seed))
    expected = _keys_of(labels)
    blocks, parts = _parts(labels, counts=counts, margin=7)
    shared = 0
    for block, part in zip(blocks, parts, strict=True):
        shared += np.count_nonzero(part.keys >= 0)
        np.testing.assert_array_equal(part.keys[part.labels], expected[block.core])
        np.testing.assert_array_equal(part.first, _first_of(part.labels, block, shape=shape))
        assert list(part.keys) == sorted(set(part.keys.tolist()))
    assert shared > len(np.unique(expected)) + 5  # some lie in several blocks
    assert _joined(blocks, parts) == {}  # nothing to join: all agree


@pytest.mark.parametrize(("shape", "counts"), [((30, 24), (3, 2)), ((9, 12, 10), (2, 2, 2))])
def test_faces_hold_the_keys_of_both_sides_of_a_cut(shape, counts) -> None:
    labels = _decoded(_boxes(*shape, count=30, longest=5, seed=4))
    expected = _keys_of(labels)
    blocks, parts = _parts(labels, counts=counts, margin=12)  # all blocks see all, or nearly
    for block, part in zip(blocks, parts, strict=True):
        ends = {(axis, end) for axis in range(len(shape)) for end in (-1, 1)}
        inside = {
            (axis, end)
            for axis, end in ends
            if (block.core[axis].start if end < 0 else shape[axis] - block.core[axis].stop)
        }
        assert set(part.faces) == inside
        for axis, end in inside:
            at = block.core[axis].start if end < 0 else block.core[axis].stop - 1
            for layer, place in zip(part.faces[axis, end], (at, at + end), strict=True):
                where = (*block.core[:axis], place, *block.core[axis + 1 :])
                np.testing.assert_array_equal(layer, expected[where])


@pytest.mark.parametrize(("shape", "counts"), [((40, 36), (4, 3)), ((16, 18, 20), (2, 3, 3))])
@pytest.mark.parametrize("seed", range(4))
def test_long_objects_become_one_and_others_stay_apart(shape, counts, seed) -> None:
    """Boxes up to the whole frame, decoded in blocks that look 2 pixels beyond their core."""
    labels = _decoded(_boxes(*shape, count=9, longest=max(shape), seed=seed))
    keys = _assembled(labels, counts=counts, margin=2)
    np.testing.assert_array_equal(keys >= 0, labels > 0)
    np.testing.assert_array_equal(keys, _keys_of(labels))


def test_a_bar_through_all_blocks_goes_by_its_first_pixel() -> None:
    labels = np.zeros((12, 50), np.uint32)
    labels[4:7, 3:48] = 1
    blocks, parts = _parts(labels, counts=(1, 5), margin=3)
    assert len(blocks) == 5
    assert [part.keys[1:].tolist() for part in parts] == [[203], [207], [217], [227], [237]]
    assert all(part.is_cut[1] for part in parts)
    assert _joined(blocks, parts) == dict.fromkeys((203, 207, 217, 227, 237), 203)


def test_two_bars_side_by_side_stay_two() -> None:
    labels = np.zeros((12, 50), np.uint32)
    labels[4:6, 3:48], labels[6:8, 3:48] = 1, 2
    np.testing.assert_array_equal(_assembled(labels, counts=(1, 5), margin=3), _keys_of(labels))
    np.testing.assert_array_equal(_assembled(labels, counts=(2, 5), margin=1), _keys_of(labels))


@pytest.mark.parametrize("flip", [(1, 1), (-1, 1), (1, -1), (-1, -1)])
@pytest.mark.parametrize("swap", [False, True])
def test_arms_that_meet_in_another_block_are_one_object(flip, swap) -> None:
    """A U whose arms are two objects to the blocks at the top, with another object between them.

    # . . . #
    # . o . #
    # . o . #
    # . . . #
    # # # # #
    """
    labels = np.zeros((40, 30), np.uint32)
    labels[2:38, 4:8] = labels[2:38, 20:24] = labels[34:38, 4:24] = 1
    labels[5:20, 12:15] = 2
    labels = labels[:: flip[0], :: flip[1]]
    labels = np.ascontiguousarray(labels.T if swap else labels)
    counts = (1, 4) if swap else (4, 1)
    blocks, parts = _parts(labels, counts=counts, margin=3)
    assert max(len(part.keys) for part in parts) == 4  # some block takes the arms for two
    np.testing.assert_array_equal(_assembled(labels, counts=counts, margin=3), _keys_of(labels))
    assert len(set(_joined(blocks, parts).values())) == 2


def test_a_spiral_through_many_blocks_in_3d_is_one_object() -> None:
    labels = np.zeros((4, 24, 24), np.uint32)
    path = [(0, 0), (0, 23), (23, 23), (23, 4), (6, 4), (6, 16), (14, 16)]
    for (y0, x0), (y1, x1) in pairwise(path):
        labels[1:3, min(y0, y1) : max(y0, y1) + 1, min(x0, x1) : max(x0, x1) + 1] = 1
    labels[0, 10, 10] = 2
    keys = _assembled(labels, counts=(2, 4, 4), margin=1)
    np.testing.assert_array_equal(keys, _keys_of(labels))


def _faces(seen, written, *, own=None):
    """Two blocks: what the first sees beyond its core, and what the second has written there."""
    seen, written, nothing = np.array(seen, int), np.array(written, int), np.full(len(seen), -1)
    return [{(0, 1): (seen if own is None else np.array(own), seen)}, {(0, -1): (written, nothing)}]


@pytest.mark.parametrize(
    ("seen", "written", "expected"),
    [
        ([5, 5, 5, -1], [5, 5, 5, -1], {}),  # they agree
        ([5, 5, 5, -1], [9, 9, 9, -1], {5: 5, 9: 5}),
        ([9, 9, 9, -1], [5, 5, 5, -1], {5: 5, 9: 5}),
        ([5, 5, -1, -1], [-1, -1, 9, 9], {}),  # side by side
        ([5, 5, 5, 5], [9, 9, 8, 8], {5: 5, 8: 5, 9: 5}),  # an object of which the other saw two parts
        ([5, 5, 5, 5, -1, -1, -1], [-1, -1, 9, 9, 9, 9, -1], {5: 5, 9: 5}),  # just half
        ([5, 5, 5, 5, -1, -1, -1], [-1, -1, -1, 9, 9, 9, 9], {}),  # less than half
        ([5, 5, 5, 5, 3, 3, 3], [5, 5, 5, 3, 3, 3, 3], {}),  # a border that moved by a pixel
        ([-1, -1], [7, 7], {}),
        ([], [], {}),
    ],
)
def test_two_are_one_if_one_covers_half_of_the_other(seen, written, expected) -> None:
    assert join_blocks(_faces(seen, written).__getitem__, neighbours=[(0, 1, 0)]) == expected


def test_an_object_that_ends_before_the_border_is_not_joined_across_it() -> None:
    """The first block has 5 in its last layer and sees 5 and 6 beyond; what 6 is, others know better."""
    faces = _faces([5, 5, 6, 6], [5, 5, 9, 9], own=[5, 5, -1, -1])
    assert join_blocks(faces.__getitem__, neighbours=[(0, 1, 0)]) == {}
    faces = _faces([5, 5, 6, 6], [9, 9, 6, 6], own=[-1, 5, -1, -1])
    assert join_blocks(faces.__getitem__, neighbours=[(0, 1, 0)]) == {5: 5, 9: 5}


def test_what_the_second_sees_of_the_first_counts_too() -> None:
    nothing = np.array([-1, -1])
    faces = [
        {(1, 1): (np.array([3, 3]), nothing)},
        {(1, -1): (np.array([8, 8]), np.array([8, 8]))},
    ]
    assert join_blocks(faces.__getitem__, neighbours=[(0, 1, 1)]) == {3: 3, 8: 3}


def test_chains_end_at_the_smallest_key_whatever_the_order() -> None:
    links = [(40, 30), (20, 10), (30, 20), (7, 6)]
    for order in (links, links[::-1], [(b, a) for a, b in links]):
        faces = [face for one, other in order for face in _faces([one, one], [other, other])]
        neighbours = [(2 * number, 2 * number + 1, 0) for number in range(len(order))]
        assert join_blocks(faces.__getitem__, neighbours=neighbours) == {10: 10, 20: 10, 30: 10, 40: 10, 6: 6, 7: 6}


@pytest.mark.parametrize(("shape", "counts"), [((20, 30), (2, 3)), ((6, 8, 10), (1, 2, 2))])
def test_empty_frames(shape, counts) -> None:
    labels = np.zeros(shape, np.uint32)
    blocks, parts = _parts(labels, counts=counts, margin=2)
    for block, part in zip(blocks, parts, strict=True):
        assert part.labels.shape == tuple(side.stop - side.start for side in block.core)
        assert not part.labels.any()
        assert (part.keys.tolist(), part.is_cut.tolist()) == ([-1], [False])
        assert all((layer == -1).all() for layers in part.faces.values() for layer in layers)
    assert _joined(blocks, parts) == {}


def test_one_object_that_is_the_whole_frame() -> None:
    labels = np.ones((30, 30), np.uint32)
    blocks, parts = _parts(labels, counts=(3, 3), margin=2)
    assert all(part.is_cut.tolist() == [False, True] for part in parts)
    assert set(_joined(blocks, parts).values()) == {0}
    assert not _assembled(labels, counts=(3, 3), margin=2).any()


def test_no_blocks_or_neighbours_join_nothing() -> None:
    assert join_blocks([].__getitem__, neighbours=[]) == {}
    assert join_blocks(_faces([5, 5], [9, 9]), neighbours=[]) == {}


def test_objects_that_both_blocks_tell_apart_stay_two() -> None:
    """One pixel of the layer has changed hands, which is half of the smaller one's."""
    seen, nothing = np.array([5, 5, 5, 5, 5, 5, 3]), np.full(7, -1)
    faces = [{(0, 1): (seen, seen)}, {(0, -1): (np.array([5, 5, 5, 5, 5, 3, 3]), nothing)}]
    assert join_blocks(faces.__getitem__, neighbours=[(0, 1, 0)]) == {}
