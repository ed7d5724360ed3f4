"""Check instance ids and make them consecutive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.schema.errors import InputError

IGNORE = -1
"""Label of a pixel that counts neither as object nor as background."""

OpenSides = Sequence[tuple[bool, bool]]
"""For each axis, whether the image goes on before and behind the labels; empty where they are all of it."""

BAND = 2**20
"""Pixels looked at in one call: some milliseconds, in which no other thread of Python runs."""


def compact(labels: NDArray[Any], *, name: str = "") -> tuple[NDArray[np.int32], NDArray[Any]]:
    """Return labels renumbered 1..n in the order of their ids, and the former ids (`ids[0]` is 0).

    0 stays background and -1 stays "ignore"; ids may be sparse and as large as their type allows. An error begins
    with `name`.
    """
    lowest, highest = check_ids(labels, name=name)
    if highest < 4 * labels.size + 1024:
        return _compact_by_table(labels, lowest=lowest, highest=highest)
    unique, inverse = np.unique(labels, return_inverse=True)
    table = np.cumsum(unique > 0, dtype=np.int32)
    table[unique < 0] = IGNORE
    ids = np.concatenate([np.zeros(1, unique.dtype), unique[unique > 0]])
    return table[inverse].reshape(labels.shape), ids


def object_boxes(objects: NDArray[np.int32]) -> list[Any]:
    """Return the bounding box (a tuple of slices) of each object in the order of the ids, None for an unused id."""
    boxes: list[Any] = [None] * max(0, int(objects.max(initial=0)))
    thickness = max(1, BAND * len(objects) // max(1, objects.size))
    for start in range(0, len(objects), thickness):
        for index, box in enumerate(ndimage.find_objects(objects[start : start + thickness])):
            if box is not None:
                moved = (slice(box[0].start + start, box[0].stop + start), *box[1:])
                boxes[index] = moved if boxes[index] is None else _around(boxes[index], moved)
    return boxes


def ids_at(labels: NDArray[Any], sides: OpenSides) -> NDArray[Any]:
    """Return the ids of the objects that touch one of the open sides."""
    layers = [
        labels.take(end, axis=axis).ravel()
        for axis, is_open in enumerate(sides)
        for end, wanted in zip((0, -1), is_open, strict=True)
        if wanted
    ]
    ids = np.unique(np.concatenate(layers)) if layers else np.zeros(0, labels.dtype)
    return ids[ids > 0]


def _around(one: tuple[slice, ...], other: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return the smallest box with both inside."""
    sides = zip(one, other, strict=True)
    return tuple(slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in sides)


def check_ids(labels: NDArray[Any], *, name: str = "") -> tuple[int, int]:
    """Return the lowest and the highest id; refuse what is not a map of instance ids."""
    where = f"{name}: " if name else ""
    if labels.dtype == bool:
        raise InputError(
            f"{where}labels must hold one id per object, got a boolean mask; number its connected components first"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError(
            f"{where}labels must be integers, got {labels.dtype}; cast them if every value is a whole number"
        )
    if not labels.size:
        return 0, 0
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < IGNORE:
        raise InputError(
            f"{where}labels must be 0 or more, or -1 to ignore a pixel, got {lowest}; renumber the objects"
        )
    return lowest, highest


def _compact_by_table(labels: NDArray[Any], *, lowest: int, highest: int) -> tuple[NDArray[np.int32], NDArray[Any]]:
    index = labels.astype(np.intp, copy=False)
    # One entry per id, and a last one that index -1 reaches.
    is_present = np.zeros(highest + 2, dtype=bool)
    is_present[index.ravel()] = True
    is_present[[0, -1]] = False
    ids = np.flatnonzero(is_present).astype(labels.dtype)
    ids = np.concatenate([np.zeros(1, labels.dtype), ids])
    if len(ids) == highest + 1:
        return labels.astype(np.int32, copy=False), ids
    table = np.cumsum(is_present, dtype=np.int32)
    table[0] = 0
    table[-1] = IGNORE if lowest < 0 else table[-1]
    return table[index], ids
