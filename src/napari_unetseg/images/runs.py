"""Masks as COCO counts them: lengths of runs of 0 and 1 by turns, column by column, as numbers or as text."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_unetseg.images.polygons import OutlineError

DAMAGED = "run-length mask that is damaged"
SIZE_DIFFERS = "run-length mask of another size than the image"


def decode_runs(segmentation: dict[str, Any], *, shape: tuple[int, int]) -> np.ndarray:
    """Return the mask (Y, X) of {"size": [height, width], "counts": numbers or text}; it must be of `shape`."""
    if segmentation.get("size") != list(shape):
        raise OutlineError(SIZE_DIFFERS)
    counts = segmentation.get("counts")
    if isinstance(counts, str):
        counts = _counts_of(counts)
    if not isinstance(counts, list) or not all(type(count) is int and count >= 0 for count in counts):
        raise OutlineError(DAMAGED)
    if sum(counts) != shape[0] * shape[1]:
        raise OutlineError(DAMAGED)
    return np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(shape, order="F")


def _counts_of(text: str) -> list[int]:
    """Return the numbers in compressed counts.

    A letter holds 5 bits, lowest first, and says with the sixth whether more follow; the last bit of a number is its
    sign. From the fourth number on, each is the difference to the one two before it.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        code = ord(letter) - 48
        if not 0 <= code < 64 or shift > 60:
            raise OutlineError(DAMAGED)
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise OutlineError(DAMAGED)
    return counts
