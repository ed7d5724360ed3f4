"""A label map in the making: objects are painted one after the other, and what is lost on the way is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_unetseg.images.budget import check_allocation
from napari_unetseg.images.label_ids import IGNORE
from napari_unetseg.images.polygons import Patch
from napari_unetseg.schema.errors import InputError

HIDDEN = "object hidden under later ones"


@dataclass(frozen=True, slots=True)
class Drawn:
    """The labels of one image, and what making them met."""

    labels: np.ndarray
    shared: int = 0
    """Pixels that lie in more than one object."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """How often something made no object, by what it was, such as "outline of fewer than 3 points"."""
    keeper: str = "the later one"
    """Which of several objects keeps a pixel."""


class Canvas:
    """Labels (T, Z, Y, X) of an image of these sizes; later objects cover earlier ones."""

    def __init__(self, sizes: Mapping[str, int], *, name: str) -> None:
        self._shape = tuple(sizes[letter] for letter in "TZYX")
        check_allocation(self._shape, np.dtype(np.int64), what=name)
        self._labels = np.zeros(self._shape, np.int32)
        self._is_shared = np.zeros(self._shape, bool)
        self._painted: set[int] = set()
        self._skipped: Counter[str] = Counter()
        self._name = name

    @property
    def plane(self) -> tuple[int, int]:
        """Shape (Y, X) of a plane."""
        return self._shape[2], self._shape[3]

    def check_size(self, *, height: object, width: object) -> None:
        """Refuse an image that has several planes, or another size than the annotations are for (if they say it)."""
        if self._shape[:2] != (1, 1):
            raise InputError(
                f"{self._name}: these annotations are of a single plane, the image has {self._shape[0]} time points "
                f"and {self._shape[1]} planes; give ImageJ ROIs with positions, or label images"
            )
        said = [(height, self.plane[0]), (width, self.plane[1])]
        if any(isinstance(length, int | float) and length > 0 and length != own for length, own in said):
            raise InputError(
                f"{self._name}: annotated for {width} x {height} pixels, but the image has {self.plane[1]} x "
                f"{self.plane[0]}; give the image that was annotated"
            )

    def paint(self, patch: Patch, *, number: int, at: tuple[int, int] = (0, 0)) -> None:
        """Give the pixels of a patch in the plane `at` (T, Z) this number: an object, a class, 0 or -1."""
        region = (*at, *patch.region)
        below = self._labels[region]
        self._is_shared[region] |= patch.mask & (below > 0) & (below != number)
        below[patch.mask] = number
        self._painted.add(number)

    def skip(self, what: str) -> None:
        """Count something that made no object."""
        self._skipped[what] += 1

    def finish(self) -> Drawn:
        """Return what was painted; objects that nothing is seen of count as skipped."""
        if hidden := len(self._painted - {IGNORE, 0, *np.unique(self._labels).tolist()}):
            self._skipped[HIDDEN] += hidden
        return Drawn(self._labels, int(np.count_nonzero(self._is_shared)), dict(self._skipped))
