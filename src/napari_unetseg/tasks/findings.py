"""What is found in an image, frame by frame: objects with their ids and rows, or classes with their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.measure import merge_planes
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.tasks.class_tally import ClassTally
from napari_unetseg.tasks.frames import Frame, measure_labels
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.numbering import Numbering

FILLED = 0.75
"""Share of a plane or volume from which on an object in it is told."""


class Objects:
    """Gives objects ids that are unique in the whole result, and measures each."""

    def __init__(self, source: ImageSource, *, decoding: DecodingConfig, channels: Sequence[int], ndim: int) -> None:
        self._source, self._channels = source, channels
        self._is_merged = decoding.link_slices and ndim == 2 and source.sizes["Z"] > 1
        self._numbering = Numbering(decoding)
        self._tables: list[pd.DataFrame] = []

    @property
    def next_id(self) -> int:
        """The id of the next object that is new."""
        return self._numbering.objects + 1

    @property
    def count(self) -> int:
        """Objects found so far."""
        return self._numbering.objects

    def take(self, labels: np.ndarray, raw: np.ndarray, maps: np.ndarray, *, frame: Frame) -> np.ndarray:
        """Measure the objects 1..n of a frame, and return its labels with their ids."""
        labels = self._numbering.number(labels, is_next_slice=bool(frame.z))
        self._tables.append(
            measure_labels(labels, raw, maps, frame=frame, source=self._source, channels=self._channels)
        )
        return labels

    def table(self) -> pd.DataFrame:
        """Return a row for each object."""
        table = pd.concat(self._tables, ignore_index=True)
        return merge_planes(table, scale=self._source.scale) if self._is_merged else table


class Classes:
    """Counts the pixels of each class; ids stay as they are."""

    next_id = None

    def __init__(self, tally: ClassTally) -> None:
        self._tally = tally

    @property
    def count(self) -> int:
        """Classes found so far, but for the background."""
        return self._tally.found

    def take(self, labels: np.ndarray, raw: np.ndarray, maps: np.ndarray, *, frame: Frame) -> np.ndarray:
        """Count the pixels of a frame, and return its labels."""
        self._tally.count(labels, t=frame.t)
        return labels

    def table(self) -> pd.DataFrame:
        """Return a row for each class and time point."""
        return self._tally.table()


def overgrown(table: pd.DataFrame, *, shape: tuple[int, ...]) -> str:
    """Say that an object fills nearly all of its plane or volume of `shape`, whose outline nobody sees; or nothing.

    `table` has a row for each object of such planes or volumes, before those of linked planes are merged.
    """
    size = "area_px" if len(shape) == 2 else "volume_px"
    largest = table[size].max() / math.prod(shape) if size in table and len(table) else 0.0
    if largest < FILLED:
        return ""
    what = "plane" if len(shape) == 2 else "volume"
    return (
        f"one object fills {100 * largest:.0f} % of its {what}: if that is wrong, the model has learnt too little yet, "
        "or from other images"
    )


def start_findings(
    source: ImageSource, *, model: Model, decoding: DecodingConfig, channels: Sequence[int]
) -> Objects | Classes:
    """Return what takes the frames of an image: none is there yet."""
    if model.card.target.is_semantic:
        return Classes(ClassTally(model.card, source))
    return Objects(source, decoding=decoding, channels=channels, ndim=model.card.network.ndim)
