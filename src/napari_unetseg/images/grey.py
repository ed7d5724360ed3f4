"""Grey pictures saved in colour: three samples a pixel, all equal."""

from __future__ import annotations

import numpy as np

from napari_unetseg.images.source import ImageSource

_BAND = 512
"""Rows looked at together: a coloured image is told after the first few."""


def is_grey(source: ImageSource) -> bool:
    """Whether the pixels are colour samples (RGB, with or without transparency) whose colours are equal everywhere."""
    sizes = source.sizes
    if "S" not in source.axes.letters or sizes["C"] not in (3, 4):
        return False
    return all(
        has_equal_colours(source.read(t=t, z=z, channels=[0, 1, 2], yx=(slice(row, row + _BAND), slice(None))))
        for t in range(sizes["T"])
        for z in range(sizes["Z"])
        for row in range(0, sizes["Y"], _BAND)
    )


def has_equal_colours(pixels: np.ndarray) -> bool:
    """Whether the first three channels of (C, ...) are the same."""
    return np.array_equal(pixels[0], pixels[1]) and np.array_equal(pixels[0], pixels[2])
