"""The objects of a block: what it writes, and by what the same object is known in every block that sees it.

An object is known by its key: the place of its first pixel in a raster scan of the whole frame. Two blocks that both
see all of an object give it the same key without knowing of each other, so it has one id however many blocks write
parts of it. Objects that were cut at the edge of what a block sees are joined afterwards (`join_blocks`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.ids import OpenSides, ids_at

Face = tuple[int, int]
"""Axis and end: -1 before the core, 1 behind it."""
Faces = Callable[[int], Mapping[Face, tuple[NDArray[np.int64], NDArray[np.int64]]]]
"""Gives the faces of a block by its number."""


@dataclass(frozen=True, slots=True)
class Part:
    """The objects of one block, 1..n in raster order."""

    labels: NDArray[np.uint32]
    """Labels of the core."""
    keys: NDArray[np.int64]
    """For each id the key of its object; -1 for the background."""
    first: NDArray[np.int64]
    """For each id the place in the frame of its first pixel in the core; -1 for the background."""
    is_cut: NDArray[np.bool_]
    """For each id whether the block saw only a part of its object."""
    faces: Mapping[Face, tuple[NDArray[np.int64], NDArray[np.int64]]]
    """Where the frame goes on: keys of the core's last layer, and of the layer beyond as this block sees it."""


def part_of(
    labels: NDArray[np.uint32],
    *,
    core: tuple[slice, ...],
    start: tuple[int, ...],
    shape: tuple[int, ...],
    open_sides: OpenSides,
) -> Part:
    """Return what a block writes and knows, from the labels (1..n) of all it sees.

    `core` lies within the labels, which begin at `start` in the frame of `shape` and end at its `open_sides`.
    """
    keys = first_pixels(labels, start=start, shape=shape)
    is_cut = np.zeros(len(keys), bool)
    is_cut[ids_at(labels, open_sides)] = True
    if labels[core].shape == labels.shape and not any(map(any, open_sides)):
        return Part(labels, keys, keys, is_cut, {})
    faces = {}
    for axis in range(labels.ndim):
        for end, layer in ((-1, core[axis].start), (1, core[axis].stop - 1)):
            beyond = layer + end
            if 0 <= beyond < labels.shape[axis]:
                faces[axis, end] = (
                    keys[_layer(labels, core, axis=axis, at=layer)],
                    keys[_layer(labels, core, axis=axis, at=beyond)],
                )
    inner = labels[core]
    is_here = np.zeros(len(keys), bool)
    is_here[inner.ravel()] = True
    is_here[0] = True
    written = (np.cumsum(is_here) - 1).astype(np.uint32)[inner]
    begins = tuple(begin + side.start for begin, side in zip(start, core, strict=True))
    first = first_pixels(written, start=begins, shape=shape)
    return Part(written, keys[is_here], first, is_cut[is_here], faces)


def join_blocks(
    faces: Faces,
    *,
    neighbours: Sequence[tuple[int, int, int]],
) -> dict[int, int]:
    """Return for the keys of objects that were joined the key they go by: the smallest of all.

    `faces` gives those of a block, `neighbours` are pairs of blocks (first, second, axis). Of the objects that a block
    writes up to its border, what it sees of them beyond is compared with what its neighbour has written there. Where
    the two disagree, and one object covers at least half of the other's pixels in that layer, they are one.
    """
    roots: dict[int, int] = {}
    for first, second, axis in neighbours:
        ahead, back = faces(first)[axis, 1], faces(second)[axis, -1]
        for own, seen, written in ((*ahead, back[0]), (*back, ahead[0])):
            crossing = np.where(np.isin(seen, own), seen, -1)
            for one, other in _same_objects(crossing.ravel(), written.ravel()):
                _unite(roots, one, other)
    return {key: _root(roots, key) for key in roots}


def first_pixels(labels: NDArray[np.uint32], *, start: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return for each id where in the frame of `shape` its first pixel lies; the labels begin at `start` in it."""
    where = np.flatnonzero(labels)
    found = labels.ravel()[where]
    first = np.full(int(found.max(initial=0)) + 1, -1, np.int64)
    first[found[::-1]] = where[::-1]  # written backwards, so that the first pixel remains
    places = np.unravel_index(first[1:], labels.shape)
    moved = [place.astype(np.int64) + begin for place, begin in zip(places, start, strict=True)]
    first[1:] = np.ravel_multi_index(moved, shape)
    return first


def _layer(labels: NDArray[np.uint32], core: tuple[slice, ...], *, axis: int, at: int) -> NDArray[np.uint32]:
    where = (*core[:axis], slice(at, at + 1), *core[axis + 1 :])
    layer: NDArray[np.uint32] = labels[where].squeeze(axis)
    return layer


def _same_objects(seen: NDArray[np.int64], written: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return pairs of different keys of which one covers at least half of the other, but for those both tell apart."""
    differs = (seen != written) & (seen >= 0) & (written >= 0)
    if not differs.any():
        return []
    pairs, shared = np.unique(np.stack([seen[differs], written[differs]]), axis=1, return_counts=True)
    area_seen = dict(zip(*np.unique(seen, return_counts=True), strict=True))
    area_written = dict(zip(*np.unique(written, return_counts=True), strict=True))
    return [
        (int(one), int(other))
        for (one, other), count in zip(pairs.T, shared, strict=True)
        if 2 * count >= min(area_seen[one], area_written[other]) and not (other in area_seen and one in area_written)
    ]


def _root(roots: dict[int, int], key: int) -> int:
    while roots.get(key, key) != key:
        key = roots[key]
    return key


def _unite(roots: dict[int, int], one: int, other: int) -> None:
    low, high = sorted((_root(roots, one), _root(roots, other)))
    roots[low], roots[high] = low, low
    roots.setdefault(one, low)
    roots.setdefault(other, low)
