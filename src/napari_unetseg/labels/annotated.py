"""Say of every pixel of a partly painted label map what is known: its object, background, or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.ids import IGNORE, check_ids, compact
from napari_unetseg.labels.targets import near_objects, relative_spacing


def annotate(
    labels: NDArray[Any],
    *,
    zero_is_background: bool,
    background_id: int | None = None,
    regions: NDArray[np.bool_] | None = None,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[Any]:
    """Return the labels ([Z,] Y, X) with 0 where background is known and -1 where nothing is.

        painted     0 0 0 0 3 3 0 0 0 0 0 9 9 0     0 means "not annotated", background_id = 9
        returned    . . . 0 3 3 0 . . . . 0 0 .     (drawn with a margin of 1)

    Background is what `background_id` marks, what lies in `regions` (annotated in full), and a margin of 3 px around
    each object, as a painted cell ends where its paint ends.
    """
    check_ids(labels)
    scribbled = labels == background_id if background_id else np.zeros(labels.shape, bool)
    signed = labels if labels.dtype.kind == "i" else labels.astype(np.int64)
    known = np.where(scribbled, 0, signed)
    if zero_is_background:
        return known
    objects, _ = compact(known)
    is_known = scribbled | near_objects(objects, sampling=relative_spacing(spacing, ndim=labels.ndim))
    if regions is not None:
        is_known |= regions
    known[(known == 0) & ~is_known] = IGNORE
    return known
