"""Hand out what a validation finds in a few held-back images: always the same ones, and a part of each."""

from __future__ import annotations

import numpy as np

from napari_unetseg.schema.events import Sampled
from napari_unetseg.schema.words import counted

EDGE = 256
"""Pixels to a side of the part that is handed out."""


def choose(count: int, *, total: int) -> set[int]:
    """Return the numbers of `count` of `total` images, spread over all of them; of fewer images, all."""
    return {int(number) for number in np.linspace(0, total - 1, min(count, total)).round()}


def shortage(count: int, *, total: int) -> str:
    """Say why fewer than `count` images are handed out, if they are."""
    if count <= total:
        return ""
    if not total:
        return "no images are held back, so there are no samples to show"
    return f"{counted(total, 'sample')} instead of {count}: a validation looks at no more images"


def excerpt(
    image: np.ndarray, *, truth: np.ndarray, found: np.ndarray, name: str, score: float, classes: tuple[str, ...] = ()
) -> Sampled:
    """Return copies of at most `EDGE` x `EDGE` pixels, of a volume from its middle plane.

    `image` (C, [Z,] Y, X) is normalised, `truth` and `found` are ([Z,] Y, X). The part lies around the middle of what
    is annotated, which is the same at each validation.
    """
    if truth.ndim == 3:
        middle = len(truth) // 2
        image, truth, found = image[:, middle], truth[middle], found[middle]
    rows, columns = (_span(np.flatnonzero((truth > 0).any(axis=1 - axis)), truth.shape[axis]) for axis in (0, 1))
    seen = image[:, rows, columns] if len(image) == 3 else image[:1, rows, columns]
    return Sampled(
        name=name,
        image=np.clip(seen, 0, 1).astype(np.float32),
        truth=truth[rows, columns].copy(),
        found=found[rows, columns].copy(),
        score=score,
        classes=classes,
    )


def _span(annotated: np.ndarray, size: int) -> slice:
    """Return up to `EDGE` of `size` pixels around the middle of those that are annotated, or of all."""
    centre = int(annotated[0] + annotated[-1] + 1) // 2 if annotated.size else size // 2
    start = max(0, min(centre - EDGE // 2, size - EDGE))
    return slice(start, start + EDGE)
