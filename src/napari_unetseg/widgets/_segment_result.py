"""The Labels layer that a run fills: found or made, written part by part, taken back, and finished as one undo step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Image, Labels, Layer

from napari_unetseg.images.axes import to_canonical
from napari_unetseg.images.budget import available_memory
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import LabelsPart
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._edits import RunStep, is_edited, note_made
from napari_unetseg.widgets._redraw import Redraw, warm_up

ROLE, CLASSES = "result", "class result"
ROLES = (ROLE, CLASSES)
"""Objects with ids of their own, or pixels with the ids of classes; a run of the one leaves layers of the other."""
UNDOABLE = 2**29
"""Bytes of an undo step, which holds the labels before and after; larger changes cannot be undone."""


class Result:
    """Labels of all of an image, of which a run fills a region; where all is too large, labels of the region alone.

    The array is kept apart from its layer: that may be removed or renamed while the run goes on.
    """

    def __init__(
        self,
        layer: Layer,
        *,
        axes: str,
        region: dict[str, slice],
        existing: Labels | None,
        is_semantic: bool = False,
    ) -> None:
        data, letters = _layers.data_of(layer), axes.replace("S", "")
        self.axes = "".join(letter for letter in letters if letter in "TZYX")
        shape = dict(zip(axes, data.shape, strict=True))
        spans = {letter: range(shape[letter])[region.get(letter, slice(None))] for letter in self.axes}
        self.is_own_size = _is_too_large([shape[letter] for letter in self.axes])
        place = _layers.placement(layer, axes=axes, kept=self.axes)
        if self.is_own_size:
            starts = [spans[letter].start for letter in self.axes]
            place = _layers.shifted(place, starts)
            spans = {letter: range(len(span)) for letter, span in spans.items()}
            shape = {letter: len(span) for letter, span in spans.items()}
        self.is_semantic = is_semantic
        self.name, self.role = name_of(layer, is_semantic=is_semantic)
        self.place, self.source_name = place, layer.name
        wanted = tuple(shape[letter] for letter in self.axes)
        self.box = tuple(_slice(spans[letter]) if letter in spans else slice(0, 1) for letter in "TZYX")
        self.index = tuple(_slice(spans[letter]) for letter in self.axes)
        self.kept = ""
        """Name of a layer with corrections, which is left as it is."""
        self.layer = existing if existing is not None and _can_hold(existing, wanted) else None
        if self.is_own_size and self.layer is not None and not _lies_at(self.layer, place):
            self.layer = None
        if self.is_edited:
            self.kept, self.layer = self.layer.name, None
        self.array = _zeros(wanted) if self.layer is None else self.layer.data
        self.highest = 0
        """The largest id."""
        self.is_new = self.layer is None
        self.is_touched = False
        """Whether anything was written for good."""
        self.file: Path | None = None
        self._finished = 0
        self._active: Layer | None = None  # before ours was added
        self._before: np.ndarray | None = None
        self._unfinished: tuple[tuple[slice, ...], np.ndarray | int] | None = None
        self._stale = Redraw()

    @property
    def canvas(self) -> np.ndarray:
        """All labels as (T, Z, Y, X), a view."""
        return to_canonical(self.array, axes=self.axes)[:, 0]

    @property
    def is_edited(self) -> bool:
        """Whether a person has changed labels of the region since they were written."""
        return self.layer is not None and is_edited(self.layer, self.index)

    def remember(self) -> None:
        """Keep what is there now for the undo step; called off the main thread, before anything is written."""
        warm_up()
        self.highest = int(self.canvas.max(initial=0))
        if self._before is None and self.layer is not None and 2 * self.array[self.index].nbytes <= UNDOABLE:
            self._before = self.array[self.index].copy()

    @property
    def can_undo(self) -> bool:
        """Whether the end of the run will be one undo step."""
        return self._before is not None

    def write(self, part: LabelsPart) -> None:
        """Write a part; what stands for a plane or volume not complete yet can be taken back."""
        view = self.canvas[self.box]
        frame = (*part.region[:2], slice(None), slice(None))
        if not part.is_final and self._unfinished is None:
            self._unfinished = frame, self._was(frame)
        view[part.region] = part.labels
        self._stale.add(self._place(part.region))
        self.highest = max(self.highest, int(part.labels.max(initial=0)))
        if part.is_final:
            self._unfinished, self.is_touched = None, True
            self._finished += 1

    def _was(self, frame: tuple[slice, ...]) -> np.ndarray | int:
        """Return what a plane or volume of the region held before the run, without copying a large one again."""
        if self.is_new:
            return 0
        if self._before is not None:
            return to_canonical(self._before, axes=self.axes)[:, 0][frame]
        return self.canvas[self.box][frame].copy()

    def take_back(self) -> None:
        """Put back what was there before the plane or volume that was not completed."""
        if self._unfinished is not None:
            frame, before = self._unfinished
            self.canvas[self.box][frame] = before
            self._unfinished = None
            self._stale.add(self._place(frame))

    def show(self, viewer: Any) -> None:
        """Add the layer, unless it is there already."""
        if self.layer is None or not self.is_shown(viewer):
            self._active = viewer.layers.selection.active
            self.layer = _layers.add_labels(viewer, self.array, name=self.name, place=self.place, facts={})
            self.array = self.layer.data
            note_made(self.layer)
            self._before = None  # a new layer has no step to take back

    def discard(self, viewer: Any) -> None:
        """Remove the layer that this run has added and not filled."""
        self.take_back()
        if self.is_new and not self.is_touched and self.is_shown(viewer):
            is_active = viewer.layers.selection.active is self.layer
            viewer.layers.remove(self.layer)
            self.layer = None
            if is_active and self._active in viewer.layers:
                viewer.layers.selection.active = self._active
        if self.is_shown(viewer):
            self.layer.refresh()

    def is_shown(self, viewer: Any) -> bool:
        """Whether the layer is in the viewer and still holds our array."""
        return self.layer is not None and self.layer in viewer.layers and self.layer.data is self.array

    def redraw(self, viewer: Any) -> bool:
        """Show some of what was written, where the layer shows any of it; say whether there is more."""
        return self.is_shown(viewer) and self._stale.show_next(self.layer)

    def finish(self, viewer: Any, *, facts: dict[str, Any], table: pd.DataFrame | None) -> None:
        """Add the layer if it is not there, note the facts and the table, and make the change one undo step."""
        self.take_back()
        self.show(viewer)
        layer = self.layer
        layer.metadata[_layers.METADATA] = {"role": self.role, "source": self.source_name, "axes": self.axes, **facts}
        layer.features = features_of(table)
        if self._before is not None:
            _add_undo_step(layer, self.index, before=self._before, after=self.array[self.index].copy())
            self._before = None
        self._stale.clear()
        layer.refresh()

    def stop(self, viewer: Any, *, order: Any, word: str) -> str:
        """Keep complete planes or volumes, and take back the one that was not; return what to say of it."""
        noun = "plane" if order.ndim == 2 else "volume"
        if not self.is_touched:
            self.discard(viewer)
            return f"{word} before the first {noun} was finished; nothing is changed"
        done, total = self._finished, order.frames()
        facts = order.facts(decoding=order.decoding) | {"finished": done, "of": total}
        self.finish(viewer, facts=facts, table=None)
        return f"{word} after {done} of {counted(total, noun)}; what is finished is kept"

    def notes(self) -> list[str]:
        """Say what a person should know of where the labels are."""
        if not self.kept or self.layer is None:
            return []
        return [f"'{self.kept}' was corrected by hand and is kept; the new labels are in '{self.layer.name}'"]

    def _place(self, region: tuple[slice, ...]) -> tuple[slice, ...]:
        """Return the box of the layer's array that a region (T, Z, Y, X) of the run lies in."""
        starts = [side.start for side in self.box]
        whole = [side.indices(box.stop - box.start) for side, box in zip(region, self.box, strict=True)]
        box = {
            letter: slice(start + low, start + high)
            for letter, start, (low, high, _) in zip("TZYX", starts, whole, strict=True)
        }
        return tuple(box[letter] for letter in self.axes)


def result_for(
    layer: Layer,
    axes: str,
    *,
    region: dict[str, slice],
    viewer: Any,
    known: Mapping[Image, Labels],
    is_semantic: bool = False,
) -> Result:
    """Return the result of a run over `layer`: the layer of the last one, else one found by its facts, else a new one.

    `known` are the results by image. A layer that was hidden is shown. Classes never go into a layer of objects.
    """
    _, role = name_of(layer, is_semantic=is_semantic)
    existing = known.get(layer)
    if existing is None or existing not in viewer.layers or _layers.role_of(existing) not in (role, ""):
        existing = _layers.find_result(viewer, role=role, source=layer.name)
    result = Result(layer, axes=axes, region=region, existing=existing, is_semantic=is_semantic)
    if result.layer is not None:
        result.layer.visible = True
    return result


def name_of(layer: Layer, *, is_semantic: bool) -> tuple[str, str]:
    """Return name and role of the result of an image."""
    return (f"{layer.name} classes", CLASSES) if is_semantic else (f"{layer.name} labels", ROLE)


def features_of(table: pd.DataFrame | None) -> pd.DataFrame:
    """Return a table of objects as napari shows it: `index` is the id."""
    if table is None:
        return pd.DataFrame()
    first = [name for name in ("label",) if name in table]
    return table[[*first, *(name for name in table if name not in first)]].rename(columns={"label": "index"})


def table_of(features: pd.DataFrame) -> pd.DataFrame | None:
    """Return the features of a layer as a table of objects; none if they are not ours."""
    return features.rename(columns={"index": "label"}) if "index" in features else None


def _can_hold(layer: Labels, shape: tuple[int, ...]) -> bool:
    """Whether a layer can take the result in place: an array in memory of that shape, with ids wide enough."""
    data = layer.data
    return isinstance(data, np.ndarray) and data.shape == shape and data.dtype.itemsize >= 4 and data.flags.writeable


def _lies_at(layer: Labels, place: Mapping[str, Any]) -> bool:
    """Whether a layer lies where the result does: labels of one slice of a large image are not those of another."""
    return bool(np.allclose(layer.translate, place["translate"]))


def _is_too_large(shape: list[int]) -> bool:
    return 4 * math.prod(shape) > available_memory() // 2


def _zeros(shape: tuple[int, ...]) -> np.ndarray:
    """Return an empty label map; the system gives memory for what is written only."""
    if _is_too_large(list(shape)):
        raise InputError(
            f"the labels of {' x '.join(map(str, shape))} pixels do not fit into memory; "
            "choose a smaller region, or less 'Memory' in Advanced, so that it goes block by block onto disk"
        )
    return np.zeros(shape, np.uint32)


def _slice(span: range) -> slice:
    return slice(span.start, span.stop)


def _add_undo_step(layer: Labels, index: tuple[slice, ...], *, before: np.ndarray, after: np.ndarray) -> None:
    """Let napari's undo write `before`, and its redo `after`, at `index`.

    `Labels.data_setitem` would list every changed pixel: seconds for the 5 million of a large plane.
    """
    if (before != after).any():
        layer._save_history(RunStep((index, before, after)))
