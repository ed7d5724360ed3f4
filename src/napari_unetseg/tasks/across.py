"""Planes of a volume across Y and X, for a 2D network that is to look along three axes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_unetseg.tasks.samples import Sample


def planes_across(volume: Sample, *, z_step: int) -> Iterator[Sample]:
    """Yield the XZ and then the YZ planes of a volume `(C, Z, Y, X)`, its Z stretched to the pixels of a plane.

    Intensities are interpolated linearly between planes that lie `z_step` pixels apart, as `networks.three_axes` does
    it; labels are those of the nearest plane.
    """
    image = _stretched(volume.image, step=z_step)
    labels = np.repeat(volume.labels, z_step, axis=0)
    size = None if volume.pixel_size is None else (volume.pixel_size[0] / z_step, volume.pixel_size[-1])
    for axis, letter in ((1, "y"), (2, "x")):
        for index in range(labels.shape[axis]):
            yield replace(
                volume,
                image=np.take(image, index, axis=axis + 1),
                labels=np.take(labels, index, axis=axis),
                name=f"{volume.name} {letter}{index}",
                pixel_size=size,
            )


def _stretched(image: np.ndarray, *, step: int) -> np.ndarray:
    """Interpolate `(C, Z, Y, X)` linearly to `step` planes for each; the first and last reach to the rim."""
    depth = image.shape[1]
    place = np.clip((np.arange(depth * step) + 0.5) / step - 0.5, 0, depth - 1)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, depth - 1)
    share = (place - below).astype(np.float32)[:, None, None]
    stretched: np.ndarray = (image[:, below] * (1 - share) + image[:, above] * share).astype(np.float32)
    return stretched
