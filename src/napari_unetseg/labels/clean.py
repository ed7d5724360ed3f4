"""Tidy label maps: drop objects, fill holes, number in raster order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

NOBODY = np.zeros(0, np.intp)


def drop_small(labels: NDArray[Any], *, min_size: int, spared: NDArray[Any] = NOBODY) -> NDArray[Any]:
    """Return labels without the objects of fewer than `min_size` pixels; the ids `spared` stay."""
    if min_size <= 1 or not labels.size:
        return labels
    is_kept = np.bincount(labels.ravel()) >= min_size
    is_kept[spared] = True
    return keep_only(labels, is_kept)


def keep_only(labels: NDArray[Any], is_kept: NDArray[np.bool_]) -> NDArray[Any]:
    """Return labels without the objects whose id `is_kept` says no to."""
    if is_kept[1:].all():
        return labels
    kept: NDArray[Any] = np.where(is_kept, np.arange(len(is_kept)), 0).astype(labels.dtype)[labels]
    return kept


def fill_holes(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels with each hole that lies within a single object filled by it.

    1 1 1 1 2        1 1 1 1 2       A hole between two objects, or open to the edge
    1 0 1 0 2   ->   1 1 1 0 2       of the image, stays. Background is connected
    1 1 1 1 2        1 1 1 1 2       through corners too, as objects are through faces.
    """
    everywhere = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
    holes, count = ndimage.label(labels == 0, structure=everywhere)
    if count == 0:
        return labels
    is_open = np.zeros(count + 1, dtype=bool)
    is_open[0] = True
    for axis in range(labels.ndim):
        is_open[holes.take([0, -1], axis=axis)] = True
    if is_open.all():
        return labels
    lowest = np.full(count + 1, np.iinfo(labels.dtype).max, dtype=labels.dtype)
    highest = np.zeros(count + 1, dtype=labels.dtype)
    for axis in range(labels.ndim):
        moved, moved_holes = labels.swapaxes(0, axis), holes.swapaxes(0, axis)
        for here, there in ((slice(1, None), slice(-1)), (slice(-1), slice(1, None))):
            edge = np.nonzero((moved_holes[here] > 0) & (moved[there] > 0))
            hole, label = moved_holes[here][edge], moved[there][edge]
            np.minimum.at(lowest, hole, label)
            np.maximum.at(highest, hole, label)
    owner = np.where(~is_open & (lowest == highest), highest, 0).astype(labels.dtype)
    if not owner.any():
        return labels
    return np.where(holes > 0, owner[holes], labels)


def renumber(labels: NDArray[Any]) -> NDArray[np.uint32]:
    """Return labels numbered 1..n in the order in which a raster scan meets them."""
    where = np.flatnonzero(labels)
    found = labels.ravel()[where]
    # Written backwards, so that the first pixel of each object is what remains.
    first = np.full(int(found.max(initial=0)) + 1, -1, dtype=np.intp)
    first[found[::-1]] = where[::-1]
    ids = np.flatnonzero(first >= 0)
    table = np.zeros(len(first), dtype=np.uint32)
    table[ids[np.argsort(first[ids])]] = np.arange(1, len(ids) + 1)
    return np.ascontiguousarray(table[labels])
