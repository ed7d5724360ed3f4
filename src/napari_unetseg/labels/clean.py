"""Tidy label maps: fill holes, number objects in raster order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


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
    where = np.flatnonzero(~is_open[holes])  # none at the edge of the image, so all have neighbours
    hole = holes.ravel()[where]
    lowest = np.full(count + 1, np.iinfo(labels.dtype).max, dtype=labels.dtype)
    highest = np.zeros(count + 1, dtype=labels.dtype)
    for axis in range(labels.ndim):
        stride = math.prod(labels.shape[axis + 1 :])
        for step in (-stride, stride):
            beside = labels.ravel()[where + step]
            np.maximum.at(highest, hole, beside)
            np.minimum.at(lowest, hole[beside > 0], beside[beside > 0])
    owner = np.where(lowest == highest, highest, 0)
    filled = labels.copy()
    filled.ravel()[where] = owner[hole]
    return filled


def raster_order(ids: NDArray[Any], *, is_kept: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """Return for each id its number 1..n in the order in which `ids`, the pixels in a raster scan, meet it.

    0 for ids that are not there, and for those `is_kept` says no to.
    """
    # Written backwards, so that the first pixel of each object is what remains.
    first = np.full(len(is_kept), -1, dtype=np.intp)
    first[ids[::-1]] = np.arange(len(ids))[::-1]
    kept = np.flatnonzero((first >= 0) & is_kept)
    table = np.zeros(len(is_kept), dtype=np.uint32)
    table[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return table
