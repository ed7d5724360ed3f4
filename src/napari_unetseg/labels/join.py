"""Give one object one id across slices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.overlap import Overlaps, count_overlaps
from napari_unetseg.schema.errors import InputError


def link_slices(
    previous: NDArray[Any], current: NDArray[Any], *, overlap: float, next_id: int
) -> tuple[NDArray[np.uint32], int]:
    """Return `current` with the ids of the objects of `previous` that it continues, and the next unused id.

    An object continues the one it overlaps best, from an IoU of `overlap` on; the best pairs choose first, equal ones
    in the order of their ids, and every object is in one pair at most. Objects that continue none get `next_id`, ...
    """
    if previous.shape != current.shape:
        raise InputError(f"slices have shapes {previous.shape} and {current.shape}; link slices of the same size")
    pairs = count_overlaps(previous, current)
    table, following = continued_ids(pairs, overlap=overlap, next_id=next_id)
    return _apply(table, current, pairs.second_ids), following


def continued_ids(pairs: Overlaps, *, overlap: float, next_id: int) -> tuple[NDArray[np.uint32], int]:
    """Return for each second object the id it gets, as `link_slices` says, and the next unused id."""
    table = np.zeros(len(pairs.second_ids), dtype=np.uint32)
    is_taken = np.zeros(len(pairs.first_ids), dtype=bool)
    iou = pairs.iou
    for index in np.argsort(-iou, kind="stable"):
        if iou[index] < overlap:
            break
        before, after = pairs.first[index], pairs.second[index]
        if not is_taken[before] and not table[after]:
            table[after] = pairs.first_ids[before]
            is_taken[before] = True
    is_new = table == 0
    is_new[0] = False
    new_count = int(np.count_nonzero(is_new))
    table[is_new] = np.arange(next_id, next_id + new_count)
    return table, next_id + new_count


def _apply(table: NDArray[np.uint32], labels: NDArray[Any], ids: NDArray[Any]) -> NDArray[np.uint32]:
    """Replace each of the sorted `ids` in labels by its entry in the table; what is not among them becomes 0."""
    index = np.searchsorted(ids, np.maximum(labels, 0))
    linked: NDArray[np.uint32] = table[index]
    return linked
