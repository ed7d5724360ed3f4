"""Labels that name the class of each pixel, without telling objects apart: checking them, and the most probable."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.ids import IGNORE, check_ids
from napari_unetseg.schema.config import MAX_CLASSES
from napari_unetseg.schema.errors import InputError

MOST_GUESSED = 20
"""The highest id that is taken for a class where nobody has said how many there are; a label map soon has more."""
WHITE = 255
"""The foreground of a mask with 8 bits."""


def as_classes(labels: NDArray[Any], *, count: int | None, name: str = "") -> NDArray[np.int32]:
    """Return class ids 0..count-1 (-1: not annotated) of labels; a mask (boolean, or of 0 and 255) holds class 1.

    Without a `count` ids up to `MOST_GUESSED` are accepted. An error begins with `name`.
    """
    where = f"{name}: " if name else ""
    if labels.dtype == bool:
        return labels.astype(np.int32)
    _, highest = check_ids(labels, name=name)
    if highest == WHITE and not ((labels > 0) & (labels < WHITE)).any():
        return np.where(labels == WHITE, 1, labels).astype(np.int32)
    if highest >= MAX_CLASSES:
        raise InputError(
            f"{where}class ids go from 0 to {MAX_CLASSES - 1}, got {highest}; number the classes 1, 2, ..., "
            "or take the labels for objects (in training, another target than 'semantic')"
        )
    if count is None and highest > MOST_GUESSED:
        raise InputError(
            f"{where}holds ids up to {highest}, as a map of objects does; for objects take another target than "
            "'semantic'. If they are classes, number them 1, 2, ..., and say how many there are (target.classes)"
        )
    if count is not None and highest >= count:
        raise InputError(
            f"{where}holds class {highest}, but there are {count} classes, 0 to {count - 1}; "
            "correct the labels, or the number of classes; if objects are numbered, take another target than 'semantic'"
        )
    return labels.astype(np.int32)


def most_probable(probability: NDArray[Any]) -> NDArray[np.uint32]:
    """Return for each pixel the class with the highest of the maps (K, [Z,] Y, X); of two alike the first."""
    best = np.array(probability[0])
    labels = np.zeros(best.shape, np.uint32)
    for index, one in enumerate(probability[1:], start=1):
        is_higher = one > best
        labels[is_higher] = index
        np.copyto(best, one, where=is_higher)
    return labels


def count_pixels(labels: NDArray[Any], *, count: int) -> NDArray[np.int64]:
    """Return the number of pixels of each of `count` classes; those that are not annotated belong to none."""
    known = labels[labels != IGNORE] if labels.dtype.kind == "i" else labels.ravel()
    return np.bincount(known, minlength=count).astype(np.int64)
