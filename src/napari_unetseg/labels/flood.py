"""Watershed in an order that is local: what a pixel becomes depends on its surroundings, not on the rest of the image.

scikit-image's watershed breaks ties by the state of one queue, so an image and a part of it can differ. Here all pixels
of a level that lie equally many steps from where the flood stands are flooded at once, whichever piece they are of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DEEP = 1023
"""The highest level."""


def flood(landscape: NDArray[np.uint16], seeds: NDArray[np.int32], is_inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Grow seeds over all pixels inside that a path connects with them, low levels of the landscape first.

    A pixel takes the label of the neighbour (across a face) that was flooded first; of neighbours that were flooded in
    the same step, of the one before it in a raster scan. Two fronts meet where the landscape is highest. Meyer,
    "Topographic distance and watershed lines", Signal Processing 38 (1994), with a step for a whole front.
    """
    labels = _bordered(seeds, where=is_inside)
    level = _bordered(landscape)
    is_free = _bordered(is_inside & (seeds == 0))
    steps = _steps(tuple(length + 2 for length in landscape.shape))
    waiting = np.flatnonzero(is_free)
    _take_from_seeds(labels, is_free, waiting, steps=steps)
    waiting = waiting[np.argsort(level[waiting], kind="stable")]
    ends = np.cumsum(np.bincount(level[waiting], minlength=DEEP + 1))
    for height, (start, stop) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        front = waiting[start:stop]
        front = front[~is_free[front]]
        while len(front):
            reached = _push(labels, is_free, front, steps=steps)
            front = reached[level[reached] <= height]
    inner = (slice(1, -1),) * landscape.ndim
    return labels.reshape([length + 2 for length in landscape.shape])[inner]


def _bordered(array: NDArray[Any], *, where: NDArray[np.bool_] | Literal[True] = True) -> NDArray[Any]:
    """Return a flat copy with a border of zeros, so that every pixel has neighbours; zero too but for `where`."""
    whole = np.zeros([length + 2 for length in array.shape], array.dtype)
    np.copyto(whole[(slice(1, -1),) * array.ndim], array, where=where)
    return whole.ravel()


def _steps(shape: tuple[int, ...]) -> list[int]:
    """Return how far away in the flat array the neighbours are to which a pixel gives its label.

    Those behind come first: of several givers of a pixel, the one before it in the raster wins.
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    return [*strides, *(-stride for stride in reversed(strides))]


def _take_from_seeds(
    labels: NDArray[np.int32], is_free: NDArray[np.bool_], waiting: NDArray[np.intp], *, steps: Sequence[int]
) -> None:
    """Give the pixels beside seeds their label, without a look at the inside of the seeds."""
    given = np.zeros(len(waiting), np.int32)
    for step in steps:
        np.copyto(given, labels[waiting - step], where=given == 0)
    labels[waiting] = given
    is_free[waiting] = given == 0


def _push(
    labels: NDArray[np.int32], is_free: NDArray[np.bool_], front: NDArray[np.intp], *, steps: Sequence[int]
) -> NDArray[np.intp]:
    """Give the labels of the front to all free neighbours, and return these."""
    given, reached = labels[front], []
    for step in steps:
        beside = front + step
        is_reached = is_free[beside]
        beside = beside[is_reached]
        labels[beside] = given[is_reached]
        is_free[beside] = False
        reached.append(beside)
    return np.concatenate(reached)
