"""Say of every pixel of a partly painted label map what is known: its object, background, or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.ids import IGNORE, check_ids, compact
from napari_unetseg.labels.targets import near_objects, relative_spacing

FEW_OBJECTS, SMALL_SHARE = 30, 0.1  # below both, the rest is rather not annotated than background


def annotate(
    labels: NDArray[Any],
    *,
    zero_is_background: bool,
    background_id: int | None = None,
    regions: NDArray[np.bool_] | None = None,
    spacing: tuple[float, ...] | None = None,
    has_objects: bool = True,
) -> NDArray[Any]:
    """Return the labels ([Z,] Y, X) with 0 where background is known and -1 where nothing is.

        painted     0 0 0 0 3 3 0 0 0 0 0 9 9 0     0 means "not annotated", background_id = 9
        returned    . . . 0 3 3 0 . . . . 0 0 .     (drawn with a margin of 1)

    Background is what `background_id` marks, what lies in `regions` (annotated in full), and a margin of 3 px around
    each object, as a painted cell ends where its paint ends. Classes (not `has_objects`) have no such margin: what lies
    beside the paint may be of the same class.
    """
    check_ids(labels)
    scribbled = labels == background_id if background_id else np.zeros(labels.shape, bool)
    signed = labels if labels.dtype.kind == "i" else labels.astype(np.int64)
    known = np.where(scribbled, 0, signed)
    if zero_is_background:
        return known
    is_known = scribbled
    if has_objects:
        objects, _ = compact(known)
        is_known = is_known | near_objects(objects, sampling=relative_spacing(spacing, ndim=labels.ndim))
    if regions is not None:
        is_known = is_known | regions
    known[(known == 0) & ~is_known] = IGNORE
    return known


@dataclass(frozen=True, slots=True)
class Painted:
    """How much of a label map is painted: its objects, and their share of the pixels."""

    objects: int
    share: float

    @property
    def is_little(self) -> bool:
        """Whether most of the objects are probably still unpainted."""
        return self.objects < FEW_OBJECTS and self.share < SMALL_SHARE


def count_painted(labels: NDArray[Any], *, background_id: int | None = None) -> Painted:
    """Count the objects of a label map; scribbles of background are none."""
    if not labels.size:
        return Painted(0, 0.0)
    highest = int(labels.max())
    if 0 < highest < 4 * labels.size + 1024:
        counts = np.bincount(np.maximum(labels, 0).ravel())
        ids = np.flatnonzero(counts)
        counts = counts[ids]
    else:
        ids, counts = np.unique(labels, return_counts=True)
    is_object = (ids > 0) & (ids != (background_id or 0))
    return Painted(int(is_object.sum()), float(counts[is_object].sum() / labels.size))
