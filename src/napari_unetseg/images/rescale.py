r"""Resample arrays to another size of pixel: every value is a function of its place in the whole, however it is cut.

Pixel j of an array that is `factor` times as long has its centre at (j + 1/2) / factor - 1/2 of the original. Its value
is the mean of the pixels around, with weights that fall linearly to zero within a pixel of the coarser of both grids:
linear interpolation where the array grows, and no aliasing where it shrinks.

     weight   /\                1 pixel of the coarser grid on either side of the centre
             /  \               pixels beyond the border have no weight, the others sum to 1
      --o--/--o--\--o--o--
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Region = tuple[slice, ...]


def scaled_shape(shape: tuple[int, ...], *, factor: float) -> tuple[int, ...]:
    """Return the edges of an array of `shape` that is resampled by `factor`; each has a pixel at least."""
    return tuple(max(1, math.ceil(length * factor - 1e-9)) for length in shape)


def support(region: Region, *, shape: tuple[int, ...], factor: float) -> Region:
    """Return what is to be read of an array of `shape` for a `region` of the resampled one."""
    sides = []
    for side, length in zip(region, shape, strict=True):
        ends = np.array([side.start, side.stop - 1])
        low, high = _reach(ends, length=length, factor=factor)
        sides.append(slice(int(low[0]), int(high[1]) + 1))
    return tuple(sides)


def last_support(positions: npt.NDArray[np.intp], *, length: int, factor: float) -> npt.NDArray[np.intp]:
    """Return the last pixel, along an axis of `length`, that each resampled pixel depends on."""
    return _reach(positions, length=length, factor=factor)[1]


def resample(
    array: npt.NDArray[np.float32], *, region: Region, shape: tuple[int, ...], start: tuple[int, ...], factor: float
) -> npt.NDArray[np.float32]:
    """Return a `region` of the resampled array as float32 (C, [Z,] Y, X).

    `array` (C, [Z,] Y, X) is the part of the whole of `shape` that begins at `start` and holds the region's `support`.
    Sums are taken in the order of the pixels, one product at a time: cut otherwise, the values are the same to the bit.
    """
    needed = support(region, shape=shape, factor=factor)
    inside = tuple(slice(part.start - first, part.stop - first) for part, first in zip(needed, start, strict=True))
    result = array[(slice(None), *inside)]  # the rest may not be there yet
    for axis, (side, length, part) in enumerate(zip(region, shape, needed, strict=True), start=1):
        result = _resample_axis(result, axis=axis, side=side, length=length, first=part.start, factor=factor)
    return np.ascontiguousarray(result, np.float32)


def nearest(labels: npt.NDArray[Any], *, factor: float) -> npt.NDArray[Any]:
    """Return labels ([Z,] Y, X) of which each pixel is the one that its centre lies in."""
    edges = scaled_shape(labels.shape, factor=factor)
    places = [
        np.minimum(((np.arange(edge) + 0.5) / factor).astype(np.intp), length - 1)
        for edge, length in zip(edges, labels.shape, strict=True)
    ]
    taken: npt.NDArray[Any] = labels[np.ix_(*places)]
    return taken


def _resample_axis(
    array: npt.NDArray[np.float32], *, axis: int, side: slice, length: int, first: int, factor: float
) -> npt.NDArray[np.float32]:
    positions = np.arange(side.start, side.stop)
    low, high = _reach(positions, length=length, factor=factor)
    centre, width = _centre(positions, factor=factor), max(1.0, 1 / factor)
    taps = low[:, None] + np.arange(int((high - low).max()) + 1)  # (n, taps)
    weights = np.maximum(0.0, 1 - np.abs(taps - centre[:, None]) / width) * (taps <= high[:, None])
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    taps = np.minimum(taps, high[:, None]) - first
    along = (slice(None), *(None,) * (array.ndim - 1 - axis))
    result: npt.NDArray[np.float32] = np.take(array, taps[:, 0], axis=axis) * weights[:, 0][along]
    for index, weight in zip(taps.T[1:], weights.T[1:], strict=True):
        result += np.take(array, index, axis=axis) * weight[along]
    return result


def _centre(positions: npt.NDArray[np.intp], *, factor: float) -> npt.NDArray[np.float64]:
    return np.asarray((positions + 0.5) / factor - 0.5, np.float64)


def _reach(
    positions: npt.NDArray[np.intp], *, length: int, factor: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the first and the last pixel within reach of each resampled pixel."""
    centre, width = _centre(positions, factor=factor), max(1.0, 1 / factor)
    low = np.clip(np.floor(centre - width).astype(np.intp) + 1, 0, length - 1)
    high = np.clip(np.ceil(centre + width).astype(np.intp) - 1, 0, length - 1)
    return low, high
