"""One id for each object of a stack that is decoded plane by plane."""

from __future__ import annotations

import numpy as np

from napari_unetseg.labels.join import link_slices
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError

MAX_ID = 2**32 - 1


class Numbering:
    """Gives objects ids that are unique in the whole result; one that goes on in the next slice keeps its id."""

    def __init__(self, decoding: DecodingConfig) -> None:
        self.objects = 0
        self._decoding = decoding
        self._previous: np.ndarray | None = None

    def number(self, labels: np.ndarray, *, is_next_slice: bool) -> np.ndarray:
        """Return the labels 1..n of a plane or volume with their ids; the first slice of a stack continues nothing."""
        previous = self._previous if is_next_slice else None
        if self._decoding.link_slices and previous is not None:
            labels, following = link_slices(
                previous, labels, overlap=self._decoding.link_overlap, next_id=self.objects + 1
            )
            self.objects = following - 1
        else:
            count = int(labels.max(initial=0))
            labels = np.where(labels > 0, labels + np.uint32(self.objects), np.uint32(0))
            self.objects += count
        if self.objects > MAX_ID:
            raise InputError(f"more than {MAX_ID} objects in one image; raise --min-size or segment it in parts")
        self._previous = labels if self._decoding.link_slices else None
        return labels
