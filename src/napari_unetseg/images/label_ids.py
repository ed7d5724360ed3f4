"""What a label id may be: whole numbers kept exactly, never rounded, wrapped or guessed."""

from __future__ import annotations

import numpy as np

from napari_unetseg.schema.errors import InputError

IGNORE = -1
_WORDS = {"background": 0, "_background_": 0, "ignore": IGNORE, "__ignore__": IGNORE}
"""Names of classes that mean no class; those with underscores are LabelMe's."""
_LARGEST_ID = 2**32 - 1
_VOC_VOID = 255


def to_ids(labels: np.ndarray, *, name: str) -> np.ndarray:
    """Return ids as uint32 (int32 if -1 occurs); what is no id is refused, naming the value."""
    if labels.dtype.kind == "f":
        labels = _integral(labels, name=name)
    if labels.dtype.kind == "b" or labels.size == 0:
        return labels.astype(np.uint32)
    low, high = int(labels.min()), int(labels.max())
    if low < IGNORE or high > _LARGEST_ID:
        bad = low if low < IGNORE else high
        raise InputError(
            f"{name}: holds the id {bad}; ids are 0 (background) to {_LARGEST_ID}, and -1 to ignore a pixel"
        )
    if low == IGNORE:
        if high > np.iinfo(np.int32).max:
            raise InputError(
                f"{name}: holds -1 and the id {high}; with pixels to ignore, ids go up to {np.iinfo(np.int32).max}"
            )
        return labels.astype(np.int32)
    return labels.astype(np.uint32)


def number_of_word(name: str) -> int | None:
    """Return 0 for a class named background and -1 for one named ignore, in any case; none for every other name."""
    return _WORDS.get(name.strip().lower())


def _integral(labels: np.ndarray, *, name: str) -> np.ndarray:
    if not np.isfinite(labels).all():
        raise InputError(f"{name}: holds NaN or infinite values; a label map holds whole ids")
    if not np.array_equal(labels, np.rint(labels)):
        fraction = float(labels[labels != np.rint(labels)][0])
        raise InputError(f"{name}: holds fractions such as {fraction}; is it an image, or probabilities?")
    if float(np.abs(labels).max(initial=0)) > 2.0**53:
        raise InputError(f"{name}: holds ids beyond 2**53 as floats, which are not exact; store them as integers")
    return labels.astype(np.int64)


def mark_void(indices: np.ndarray) -> np.ndarray:
    """Take index 255 of a palette for "ignore", as PASCAL VOC does, unless ids run up to it."""
    present = np.unique(indices)
    if present[-1] != _VOC_VOID or _VOC_VOID - 1 in present:
        return indices
    return np.where(indices == _VOC_VOID, IGNORE, indices.astype(np.int32))
