"""A small picture of what a model was trained on, for its card."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from napari_unetseg.images import normalize
from napari_unetseg.tasks.samples import Sample

EDGE = 96  # px


def make_thumbnail(sample: Sample) -> str:
    """Return a square around the middle object of a prepared sample as a gray 8-bit PNG in base64."""
    assert sample.stretch is not None  # given by samples.prepare
    labels, pixels = sample.labels, sample.image[0]
    if labels.ndim == 3:
        plane = int(np.argmax((labels > 0).sum(axis=(1, 2))))
        labels, pixels = labels[plane], pixels[plane]
    where = np.argwhere(labels > 0)
    middle = where[len(where) // 2] if len(where) else np.array(labels.shape) // 2
    corner = [
        int(np.clip(centre - EDGE // 2, 0, max(0, size - EDGE)))
        for centre, size in zip(middle, pixels.shape, strict=True)
    ]
    crop = pixels[corner[0] : corner[0] + EDGE, corner[1] : corner[1] + EDGE]
    channels = np.stack([crop] * len(sample.stretch.low))  # the stretch is for all channels
    gray = np.clip(normalize.apply(channels, stretch=sample.stretch)[0], 0, 1)
    stream = io.BytesIO()
    Image.fromarray(np.rint(255 * gray).astype(np.uint8)).save(stream, format="PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
