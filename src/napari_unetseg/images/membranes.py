"""Simulate a membrane stain: bright rims around dark cells, plane by plane, from label planes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from napari_unetseg.images.camera import GAIN, OFFSET, READ_NOISE

RIM, HALO, INSIDE, BACKGROUND = 600.0, 400.0, 30.0, 20.0  # grey values
SHARP, WIDE = 1.0, 4.0  # px; blur in focus, and of what is out of it
GOLDEN = 0.618034  # its multiples spread the brightness of cells evenly, without a table of them


def stain_membranes(labels: npt.NDArray[Any], *, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return an image of the plane `labels` (Y, X); a cell has the same brightness in every plane."""
    is_cell = labels > 0
    lowest, highest = ndimage.minimum_filter(labels, 3), ndimage.maximum_filter(labels, 3)
    is_rim = is_cell & ((lowest != labels) | (highest != labels))
    rim = np.where(is_rim, 0.5 + labels * GOLDEN % 1, 0.0)
    signal = RIM * ndimage.gaussian_filter(rim, SHARP) + HALO * ndimage.gaussian_filter(rim, WIDE)
    signal += BACKGROUND + INSIDE * ndimage.gaussian_filter(is_cell.astype(float), WIDE / 2)
    seen = GAIN * rng.poisson(signal / GAIN) + READ_NOISE * rng.standard_normal(labels.shape)
    grey: npt.NDArray[np.uint16] = np.clip(np.rint(seen + OFFSET), 0, 65535).astype(np.uint16)
    return grey
