"""Watershed in an order that is local: what a pixel becomes depends on its surroundings, not on the rest of the image.

scikit-image's watershed breaks ties by the state of one queue, so an image and a part of it can differ. Here all pixels
of a level that lie equally many steps from where the flood stands are flooded at once, whichever piece they are of.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEEP = 1023
"""The highest level."""


def flood(
    where: NDArray[np.intp], *, level: NDArray[np.uint16], seed: NDArray[np.int32], shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """Return the labels of pixels once seeds have grown over all that a path connects with them, low levels first.

    `where` are places in the raster of `shape`, ascending; `level` (0..DEEP) and `seed` (0: none) are given for each.
    A pixel takes the label of the neighbour (across a face) that was flooded first; of neighbours that were flooded in
    the same step, of the one before it in a raster scan. Two fronts meet where the landscape is highest. Meyer,
    "Topographic distance and watershed lines", Signal Processing 38 (1994), with a step for a whole front.
    """
    bordered = tuple(length + 2 for length in shape)  # so that every pixel has neighbours
    place = _moved(where, shape, bordered)
    del where
    labels, levels, is_free = (_raster(bordered, place, values) for values in (seed, level, seed == 0))
    steps, rank = _steps(bordered), np.zeros(labels.shape, np.int32)
    waiting = place[seed == 0]
    del seed
    _take_from_seeds(labels, is_free, waiting, steps=steps)
    waiting = waiting[np.argsort(levels[waiting], kind="stable")]
    ends = np.cumsum(np.bincount(levels[waiting], minlength=DEEP + 1))
    for height, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        front = waiting[start:stop]
        front = front[~is_free[front]]
        while len(front):
            reached = _push(labels, is_free, rank, front, steps=steps)
            front = reached[levels[reached] <= height]
    flooded: NDArray[np.int32] = labels[place]
    return flooded


def _moved(where: NDArray[np.intp], shape: tuple[int, ...], bordered: tuple[int, ...]) -> NDArray[np.intp]:
    """Return where pixels of a raster lie in one with a border of one pixel around."""
    place = np.zeros_like(where)
    for axis in range(len(shape)):
        coordinate, where = _divided(where, math.prod(shape[axis + 1 :]))
        place += (coordinate + 1) * math.prod(bordered[axis + 1 :])
    return place


def _divided(where: NDArray[np.intp], by: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return quotient and rest, faster than divmod."""
    quotient = where // by
    return quotient, where - quotient * by


def _raster(shape: tuple[int, ...], place: NDArray[np.intp], values: NDArray[Any]) -> NDArray[Any]:
    """Return a flat raster with these values at their places, and zeros around."""
    raster = np.zeros(math.prod(shape), values.dtype)
    raster[place] = values
    return raster


def _steps(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Return how far away in the flat array the neighbours are to which a pixel gives its label.

    Those behind come first: of several givers of a pixel, the one before it in the raster wins.
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return np.array([*strides, *(-stride for stride in reversed(strides))])


def _take_from_seeds(
    labels: NDArray[np.int32], is_free: NDArray[np.bool_], waiting: NDArray[np.intp], *, steps: NDArray[np.intp]
) -> None:
    """Give the pixels beside seeds their label, without a look at the inside of the seeds."""
    given = np.zeros(len(waiting), np.int32)
    for step in steps:
        np.copyto(given, labels[waiting - step], where=given == 0)
    labels[waiting] = given
    is_free[waiting] = given == 0


def _push(
    labels: NDArray[np.int32],
    is_free: NDArray[np.bool_],
    rank: NDArray[np.int32],
    front: NDArray[np.intp],
    *,
    steps: NDArray[np.intp],
) -> NDArray[np.intp]:
    """Give the labels of the front to all free neighbours, and return these; `rank` is room to work in."""
    beside: NDArray[np.intp] = (steps[:, None] + front).ravel()
    given = np.flatnonzero(is_free[beside])
    beside = beside[given]
    ranks = np.arange(len(given), dtype=np.int32)
    rank[beside[::-1]] = ranks[::-1]  # written backwards, so that of several givers of a pixel the first remains
    is_first = rank[beside] == ranks
    beside = beside[is_first]
    labels[beside] = labels[front][given[is_first] % len(front)]
    is_free[beside] = False
    return beside
