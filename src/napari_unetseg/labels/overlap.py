"""Count the pixels that the objects of two label maps share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.ids import compact


@dataclass(frozen=True, slots=True)
class Overlaps:
    """Pairs of objects that share pixels, sorted by the first object and then by the second.

    `first` and `second` are indices into `first_ids` and `second_ids`, and into the areas; index 0 is the background.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: NDArray[np.int64]
    first_area: NDArray[np.int64]
    second_area: NDArray[np.int64]
    first_ids: NDArray[Any]
    second_ids: NDArray[Any]
    foreground: NDArray[np.int64]
    """Pixels by whether they lie in an object of the first map (row) and of the second (column)."""

    @property
    def union(self) -> NDArray[np.int64]:
        """Pixels of either object of each pair."""
        union: NDArray[np.int64] = self.first_area[self.first] + self.second_area[self.second] - self.shared
        return union

    @property
    def iou(self) -> NDArray[np.float64]:
        """Shared pixels as a share of the pixels of either."""
        return self.shared / self.union


def count_overlaps(first: NDArray[Any], second: NDArray[Any]) -> Overlaps:
    """Compare two label maps of the same shape; a pixel that is -1 in either counts for nothing."""
    (a_map, a_ids), (b_map, b_ids) = compact(first), compact(second)
    a, b, pixels = _runs(a_map.ravel(), b_map.ravel())
    in_both = (a > 0) & (b > 0)
    pair, inverse = np.unique(a[in_both] * len(b_ids) + b[in_both], return_inverse=True)
    return Overlaps(
        first=pair // len(b_ids),
        second=pair % len(b_ids),
        shared=_sums(inverse, pixels[in_both], count=len(pair)),
        first_area=_sums(a, pixels, count=len(a_ids)),
        second_area=_sums(b, pixels, count=len(b_ids)),
        first_ids=a_ids,
        second_ids=b_ids,
        foreground=_sums(2 * (a > 0) + (b > 0), pixels, count=4).reshape(2, 2),
    )


def add_overlaps(parts: Sequence[Overlaps]) -> Overlaps:
    """Return the overlaps of two label maps from those of parts that make them up; an object may lie in several."""
    first_ids, first_of = _union([part.first_ids for part in parts])
    second_ids, second_of = _union([part.second_ids for part in parts])
    first = np.concatenate([of[part.first] for of, part in zip(first_of, parts, strict=True)])
    second = np.concatenate([of[part.second] for of, part in zip(second_of, parts, strict=True)])
    pair, inverse = np.unique(first * len(second_ids) + second, return_inverse=True)
    return Overlaps(
        first=pair // len(second_ids),
        second=pair % len(second_ids),
        shared=_sums(inverse, np.concatenate([part.shared for part in parts]), count=len(pair)),
        first_area=_add([part.first_area for part in parts], first_of, count=len(first_ids)),
        second_area=_add([part.second_area for part in parts], second_of, count=len(second_ids)),
        first_ids=first_ids,
        second_ids=second_ids,
        foreground=np.sum([part.foreground for part in parts], axis=0),
    )


def _union(ids: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], list[NDArray[np.int64]]]:
    """Return all ids, sorted, and for each of the given arrays the place of its ids among them."""
    union = np.unique(np.concatenate(ids))
    return union, [np.searchsorted(union, one).astype(np.int64) for one in ids]


def _add(areas: Sequence[NDArray[np.int64]], places: Sequence[NDArray[np.int64]], *, count: int) -> NDArray[np.int64]:
    return _sums(np.concatenate(places), np.concatenate(areas), count=count)


def _runs(
    first: NDArray[np.int32], second: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return both ids and the length of each run of equal pairs, without ignored ones: far fewer than pixels."""
    if not first.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
    changes = np.flatnonzero((first[1:] != first[:-1]) | (second[1:] != second[:-1])) + 1
    start = np.concatenate([[0], changes])
    length = np.diff(start, append=first.size)
    counts = (first[start] >= 0) & (second[start] >= 0)
    start, length = start[counts], length[counts]
    return first[start].astype(np.int64), second[start].astype(np.int64), length.astype(np.int64)


def _sums(index: NDArray[Any], pixels: NDArray[np.int64], *, count: int) -> NDArray[np.int64]:
    # Sums of doubles are exact up to 2**53 pixels.
    return np.bincount(index, weights=pixels, minlength=count).astype(np.int64)
