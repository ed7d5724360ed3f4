"""Bring the result of a part of an image into the result of the whole: places, ids and table."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.confidence import confidence
from napari_unetseg.labels.join import link_slices
from napari_unetseg.schema.events import Event, LabelsPart
from napari_unetseg.tasks.recall import MapCache
from napari_unetseg.tasks.segment import Segmentation

SAME = 0.25
"""IoU from which an object decoded anew is the former one, and keeps its id and colour."""


@dataclass(frozen=True)
class Whole:
    """The result a part belongs to: labels (T, Z, Y, X) as they are now, and a row for each object."""

    labels: np.ndarray
    table: pd.DataFrame | None = None


def into_whole(
    job: Generator[Event, None, Segmentation],
    *,
    source: ImageSource,
    region: Mapping[str, slice],
    whole: Whole,
    cache: MapCache | None = None,
    keeps_ids: bool = False,
) -> Generator[Event, None, Segmentation]:
    """Segment a part of `source` with `job`; its ids differ from those outside the region, its table is of the whole.

    Places of `LabelsPart` stay those within the part. Maps go to the `cache` and no further. With `keeps_ids` objects
    keep the ids they have in `whole` now. `whole` is read before the first event and, with `keeps_ids`, at each part.
    """
    box = tuple(_span(source, letter, region) for letter in "TZYX")
    kept = _ids_outside(whole.labels, box)
    names = _Ids(whole.labels[box] if keeps_ids else None, first=_first_id(whole.labels, kept, keeps_ids=keeps_ids))
    sure, frames = _Confidence(), 0
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            result: Segmentation = end.value
            break
        if isinstance(event, LabelsPart):
            if event.is_final and event.maps is not None:
                frames += 1
                sure.add(event.labels, event.maps)
                if cache is not None:
                    cache.keep(_place(event), event.maps)
            event = replace(event, labels=names.rename(event), maps=None)
        yield event
    if cache is not None:
        cache.close(frames=frames)
    table = sure.add_to(result.table)
    table = _moved(table.assign(label=names.of(table["label"].to_numpy())), source=source, box=box)
    if len(kept) and whole.table is not None:
        table = pd.concat([whole.table[whole.table["label"].isin(kept)], table], ignore_index=True)
    return replace(result, table=table, objects=result.objects + len(kept))


def classes_into_whole(
    job: Generator[Event, None, Segmentation], *, source: ImageSource, region: Mapping[str, slice]
) -> Generator[Event, None, Segmentation]:
    """Segment a part of `source` into classes with `job`; its table is of that part, with time points of the whole."""
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            result: Segmentation = end.value
            break
        yield replace(event, maps=None) if isinstance(event, LabelsPart) else event
    table, start = result.table, _span(source, "T", region).start
    return replace(result, table=table.assign(t=table["t"] + start) if "t" in table else table)


class _Ids:
    """Gives the objects of a part the ids they have in the whole."""

    def __init__(self, previous: np.ndarray | None, *, first: int) -> None:
        self._previous, self._first, self._next = previous, first, first
        self._known = np.zeros(1, np.int64)

    def rename(self, part: LabelsPart) -> np.ndarray:
        labels = part.labels
        if self._previous is None:
            return np.where(labels > 0, labels + np.uint32(self._first - 1), np.uint32(0))
        before = self._previous[part.region].reshape(labels.shape)
        renamed, self._next = link_slices(before, labels, overlap=SAME, next_id=self._next)
        known = np.zeros(max(len(self._known), int(labels.max(initial=0)) + 1), np.int64)
        known[: len(self._known)] = self._known
        known[labels.ravel()] = renamed.ravel()
        self._known = known
        return renamed

    def of(self, ids: np.ndarray) -> np.ndarray:
        return ids + (self._first - 1) if self._previous is None else self._known[ids]


class _Confidence:
    """Mean foreground probability of each object, over all the frames it lies in."""

    def __init__(self) -> None:
        self._sum: dict[int, float] = {}
        self._size: dict[int, int] = {}

    def add(self, labels: np.ndarray, maps: np.ndarray) -> None:
        means, sizes = confidence(labels, maps), np.bincount(labels.ravel())
        for identity in np.flatnonzero(sizes):
            size = int(sizes[identity])
            self._sum[int(identity)] = self._sum.get(int(identity), 0.0) + size * float(means[identity])
            self._size[int(identity)] = self._size.get(int(identity), 0) + size

    def add_to(self, table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(confidence=[self._sum[one] / self._size[one] for one in table["label"].tolist()])


def _span(source: ImageSource, letter: str, region: Mapping[str, slice]) -> slice:
    start, stop, _ = region.get(letter, slice(None)).indices(source.sizes[letter])
    return slice(start, stop)


def _place(part: LabelsPart) -> tuple[int, int | None]:
    return part.region[0].start, part.region[1].start if part.labels.ndim == 2 else None


def _ids_outside(labels: np.ndarray, box: tuple[slice, ...]) -> np.ndarray:
    """Return the ids that are there outside the box."""
    if labels[box].shape == labels.shape:
        return np.zeros(0, np.intp)
    is_there = np.zeros(int(labels.max(initial=0)) + 1, bool)
    outside = labels.copy()
    outside[box] = 0
    is_there[outside.ravel()] = True
    is_there[0] = False
    return np.flatnonzero(is_there)


def _first_id(labels: np.ndarray, kept: np.ndarray, *, keeps_ids: bool) -> int:
    return 1 + (int(labels.max(initial=0)) if keeps_ids else int(kept.max(initial=0)))


def _moved(table: pd.DataFrame, *, source: ImageSource, box: tuple[slice, ...]) -> pd.DataFrame:
    """Return a table of the part with places in the whole image."""
    table = table.copy()
    for letter, part in zip("tzyx", box, strict=True):
        whole = source.sizes[letter.upper()]
        is_plane = letter not in "yx" and whole > 1 and part.stop - part.start == 1
        if is_plane and letter not in table and f"centroid_{letter}_px" not in table:
            table.insert(0, letter, part.start)
        elif letter in table:
            table[letter] += part.start
        for name in (f"centroid_{letter}_px", f"bbox_{letter}_min_px", f"bbox_{letter}_max_px"):
            if name in table:
                table[name] += part.start
        if f"centroid_{letter}_um" in table:
            table[f"centroid_{letter}_um"] += part.start * source.scale.get(letter.upper(), 0.0)
    return table
