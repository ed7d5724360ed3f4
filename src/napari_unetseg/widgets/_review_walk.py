"""Going through the objects of a layer: lists them, follows what is painted and undone, and shows one after another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer, Signal

from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._focus import Focus
from napari_unetseg.widgets._look_at import look_at
from napari_unetseg.widgets._measured import measure_again
from napari_unetseg.widgets._review_list import Key, Order, ReviewList, read_list
from napari_unetseg.widgets._session import Session

SETTLED = 1500  # milliseconds after the last stroke of a brush until the objects are listed again
LARGE = 2**26  # pixels, from which objects are listed only on request


class ReviewWalk(Session):
    """Walks through one Labels layer; `changed`: the list, the current object or the progress is another one."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.layer: Labels | None = None
        self.image: Image | None = None
        self.axes = ""
        self.objects: ReviewList | None = None
        self.current: Key | None = None
        self.order: Order = "doubt"
        self.skips_reviewed = True
        self._sequence: list[Key] | None = None
        self._position = -1
        self._touched: set[Key] = set()
        self._known = pd.DataFrame()  # the features when the objects were listed
        self._is_writing = False
        self._is_stale = True
        self._is_watched = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLED)
        self._settle.timeout.connect(self._on_settled)
        self._focus = Focus(viewer)
        self._hiding = QTimer(self)
        self._hiding.setSingleShot(True)
        self._hiding.timeout.connect(self._show_focus)
        self.job.succeeded.connect(self._on_job_succeeded)
        self.job.finished.connect(self._on_settled)
        viewer.layers.events.removed.connect(self._on_layers_removed)

    def choose(self, layer: Labels | None, *, axes: str) -> None:
        """Review this layer; the same one again changes nothing."""
        if layer is self.layer and axes == self.axes:
            return
        self._let_go()
        self.layer, self.axes = layer, axes
        if layer is not None:
            for event, slot in self._connections(layer):
                event.connect(slot)
        self.changed.emit()
        self._on_settled()

    def watch(self, is_watched: bool) -> None:
        """Say whether a dock shows the review: only then the list follows what is painted."""
        self._is_watched = is_watched
        self._show_focus()
        self._on_settled()

    def survey(self) -> None:
        """List the objects of the layer, off the main thread; where that still runs, again after it."""
        if self.layer is None or not self.axes:
            return
        layer, data, axes = self.layer, _layers.data_of(self.layer), self.axes
        features = layer.features.copy()

        def task() -> Any:
            objects = yield from read_list(data, axes=axes, features=features)
            return layer, axes, objects

        self._is_stale = not self.job.start(task)

    def set_order(self, order: Order, *, skips_reviewed: bool) -> None:
        """Change the order in which objects come; the current one stays."""
        self.order, self.skips_reviewed = order, skips_reviewed
        self._sequence, self._position = None, -1
        self.changed.emit()

    def step(self, direction: int) -> bool:
        """Go to the next (1) or the previous (-1) object; tell whether there was one."""
        sequence = self.sequence()
        place = sequence.index(self.current) if self.current in sequence else None
        if place is None:  # the object is gone: what followed it stands in its place
            place = self._position - (1 if direction > 0 else 0) if self._position >= 0 else -1
        place += direction
        while 0 <= place < len(sequence):
            if not (self.skips_reviewed and direction > 0 and sequence[place] in self.objects.reviewed):
                self.go_to(sequence[place])
                return True
            place += direction
        return False

    def sequence(self) -> list[Key]:
        """Return the objects in the order chosen."""
        if self.objects is None:
            return []
        if self._sequence is None:
            self._sequence = self.objects.ordered(self.order)
        return self._sequence

    def go_to(self, key: Key, *, moves_view: bool = True) -> None:
        """Make an object the current one: selected in the layer, and in the middle of the view."""
        item = self.objects.items.get(key) if self.objects else None
        if item is None or self.layer is None:
            return
        self.current = key
        self._position = self.sequence().index(key) if key in self.sequence() else -1
        with self._writing():
            self.layer.selected_label = key[1]
        if moves_view:
            self.viewer.layers.selection.active = self.layer  # so that the viewer's undo is this layer's
            lead = (key[0],) if "T" in self.axes else ()
            look_at(self.viewer, self.layer, centre=(*lead, *item.centre), box=self._box(key))
        self._show_focus()
        self.changed.emit()

    def frame(self, t: int) -> np.ndarray:
        """Return one frame ([Z,] Y, X) of the labels; a view where they are in memory."""
        data = _layers.data_of(self.layer)
        return np.asarray(data[t] if "T" in self.axes else data)

    def measure_again(self, keys: Iterable[Key]) -> None:
        """Let the layer's features follow an edit of these objects."""
        with self._writing():
            measure_again(
                self.layer,
                self.objects,
                keys,
                axes=self.axes,
                frame_of=self.frame,
                image=self.image,
                known=self._known,
            )

    def _box(self, key: Key) -> tuple[slice, ...]:
        """Return the box of an object along all axes of the layer."""
        lead = (slice(key[0], key[0] + 1),) if "T" in self.axes else ()
        return (*lead, *self.objects.items[key].box)

    def _show_focus(self) -> None:
        item = self.objects.items.get(self.current) if self.objects and self.current else None
        if self._is_watched and self.layer is not None and item is not None and item.is_there:
            self._focus.show(self.layer, axes=self.axes, box=self._box(item.key))
        else:
            self._focus.hide()

    @contextmanager
    def _writing(self) -> Any:
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False

    def _let_go(self) -> None:
        layer, self.layer = self.layer, None
        self.objects, self.current, self._sequence, self._position = None, None, None, -1
        self._touched.clear()
        self._is_stale = True
        self._settle.stop()
        self.job.cancel()
        self._hiding.start(0)  # not at once: a layer may be in the middle of being removed
        if layer is not None:
            for event, slot in self._connections(layer):
                event.disconnect(slot)

    def _connections(self, layer: Labels) -> list[tuple[Any, Any]]:
        return [
            (layer.events.paint, self._on_layer_changed),
            (layer.events.data, self._on_layer_changed),
            (layer.events.set_data, self._on_layer_redrawn),
            (layer.events.selected_label, self._on_layer_selected_label),
        ]

    @property
    def is_large(self) -> bool:
        """Whether listing the objects takes so long that it waits to be asked for."""
        return self.layer is not None and math.prod(_layers.data_of(self.layer).shape) > LARGE

    @property
    def is_beyond_memory(self) -> bool:
        """Whether a frame, which is read as a whole to list its objects, is larger than memory."""
        frame_axes = len(self.axes.replace("T", ""))
        return (
            self.layer is not None and bool(frame_axes) and _layers.is_beyond_memory(self.layer, frame_axes=frame_axes)
        )

    def _on_settled(self) -> None:
        if self._is_watched and self._is_stale and not self.is_large:
            self.survey()

    def _on_job_succeeded(self, result: Any) -> None:
        layer, axes, objects = result
        if layer is self.layer and axes == self.axes:
            self.objects, self._sequence = objects, None
            self._known = layer.features.copy()
            self._touched.clear()
            self._show_focus()
            self.changed.emit()

    def _on_layers_removed(self, event: Any) -> None:
        if event.value is self.layer:
            self._let_go()
        self.changed.emit()

    def _on_layer_changed(self, _event: Any) -> None:
        """Labels were painted, or the layer got other data."""
        if not self._is_writing:
            self._is_stale = True
            self._settle.start()

    def _on_layer_redrawn(self, _event: Any) -> None:
        """Undo tells nothing else: look whether objects that edits have removed or made are there.

        What is back is the current object again.
        """
        if self._is_writing or not self._touched or self.objects is None:
            return
        before = {key: self.objects.items.get(key) for key in self._touched}
        self.objects.look_again(self._touched, self.frame)
        changed = [key for key, item in before.items() if self.objects.items.get(key) != item]
        if changed:
            self.measure_again(changed)
            self._sequence = None
            back = [key for key in changed if self._is_there(key) and not (before[key] and before[key].is_there)]
            if back:
                self.go_to(back[0], moves_view=self._is_watched)
            else:
                self._show_focus()
                self.changed.emit()

    def _is_there(self, key: Key) -> bool:
        item = self.objects.items.get(key)
        return item is not None and item.is_there

    def _on_layer_selected_label(self, _event: Any) -> None:
        """Take a label picked with napari's own tools for the current object."""
        if self._is_writing or self.objects is None:
            return
        here = _layers.current(self.layer, axes=self.axes, viewer=self.viewer)
        key = (here.get("T", 0), int(self.layer.selected_label))
        if key in self.objects.items and key != self.current:
            self.go_to(key, moves_view=False)
