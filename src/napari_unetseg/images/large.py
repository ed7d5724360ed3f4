"""Whether an image is segmented at once, or is larger than memory and goes block by block onto disk."""

from __future__ import annotations

import math
from collections.abc import Sequence

from napari_unetseg.images.budget import available_memory
from napari_unetseg.images.source import ImageSource

DECODE_BYTES = 84
"""Per pixel while maps become objects, at most: where all is foreground, and in one piece."""
LABEL_BYTES = 4
LABELS_IN_MEMORY = 2**30
"""Bytes of labels that are held in memory at most, unless a person has said how much there is."""


def is_larger_than_memory(
    source: ImageSource, *, ndim: int, channels: int, maps: int, memory: int | None = None
) -> bool:
    """Whether the labels of all, and a plane (3D: a volume) with its maps, are more than `memory`.

    Without a `memory`: whether the labels are more than 1 GiB, or all of it more than half of what is free.
    """
    sizes = source.sizes
    labels = LABEL_BYTES * math.prod(sizes[letter] for letter in "TZYX")
    frame = frame_bytes([sizes[letter] for letter in "ZYX"[3 - ndim :]], channels=channels, maps=maps)
    if memory is not None:
        return labels + frame > memory
    return labels > LABELS_IN_MEMORY or labels + frame > available_memory() // 2


def frame_bytes(shape: Sequence[int], *, channels: int, maps: int) -> int:
    """Return the bytes that a plane (3D: a volume) needs with its maps while these become objects."""
    return math.prod(shape) * (4 * (maps + 2 * channels) + DECODE_BYTES)
