"""Count the pixels of each class, frame by frame, into a table with a row per class and time point."""

from __future__ import annotations

import numpy as np
import pandas as pd

from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.class_table import class_table
from napari_unetseg.labels.classes import count_pixels
from napari_unetseg.schema.card import ModelCard


class ClassTally:
    """Adds up what is found of each class of a model; of a stack all planes of a time point count together."""

    def __init__(self, card: ModelCard, source: ImageSource) -> None:
        self._card, self._source = card, source
        self._by_time: dict[int, np.ndarray] = {}

    def count(self, labels: np.ndarray, *, t: int) -> None:
        """Count the pixels of class ids of time point `t`."""
        self.add(count_pixels(labels, count=self._card.target.class_count), t=t)

    def add(self, counts: np.ndarray, *, t: int) -> None:
        """Add numbers of pixels, one for each class."""
        self._by_time[t] = self._by_time.get(t, 0) + counts

    @property
    def found(self) -> int:
        """The number of classes but for the background that have pixels."""
        return int(np.count_nonzero(sum(self._by_time.values(), np.zeros(1, np.int64))[1:]))

    def rows(self, t: int) -> pd.DataFrame:
        """Return the rows of one time point."""
        sizes = self._source.sizes
        return class_table(
            self._by_time[t],
            names=self._card.classes,
            axes="zyx" if sizes["Z"] > 1 else "yx",
            scale=self._source.scale,
            t=t if sizes["T"] > 1 else None,
        )

    def table(self) -> pd.DataFrame:
        """Return all rows."""
        return pd.concat([self.rows(t) for t in sorted(self._by_time)], ignore_index=True)
