"""A review that outlives its dock: accepts and corrects objects, each correction one undo step of the layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.labels import edit
from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets import _layers, _training_set
from napari_unetseg.widgets._review_list import Key, with_reviewed
from napari_unetseg.widgets._review_walk import ReviewWalk


class ReviewSession(ReviewWalk):
    """Edits act on the current object; what cannot be done raises an error in words for the user."""

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.folder = ""
        self.saving = self.new_job()
        self.saving.succeeded.connect(self._on_saving_succeeded)

    def accept(self) -> None:
        """Mark the current object as reviewed, in the layer's features too, and go to the next."""
        key = self._must_have_current()
        self.objects.reviewed.add(key)
        self.layer.features = with_reviewed(self.layer.features, [key], reviewed=self.objects.reviewed)
        if not self.step(1):
            self.changed.emit()

    def merge_with(self, labels: Sequence[int]) -> None:
        """Merge other objects of the same frame into the current one."""
        t, label = self._must_have_current()
        item = self.objects.items[t, label]
        boxes = [item.box, *(self.objects.items[t, one].box for one in labels if (t, one) in self.objects.items)]
        within = tuple(
            slice(min(box[axis].start for box in boxes), max(box[axis].stop for box in boxes))
            for axis in range(len(item.box))
        )
        is_known = len(boxes) == len(labels) + 1
        patch = edit.merge(self.frame(t), [label, *labels], within=within if is_known else None)
        self._write(t, patch, then=(t, label))

    def split_along(self, points: np.ndarray) -> None:
        """Cut the object that a line crosses; points have all axes of the layer's data."""
        if self.objects is None or self.layer is None:
            raise InputError("no objects are listed yet; wait a moment and draw again")
        at = [round(float(one)) for one in points[0, :-2]]
        t = at[0] if "T" in self.axes else 0
        frame = self.frame(t)
        plane = frame[at[-1]] if "Z" in self.axes else frame
        preferred = self.current[1] if self.current and self.current[0] == t else 0
        label = edit.cut_by(plane, points[:, -2:], preferred=preferred)
        if not label:
            raise InputError("the line crosses no object; draw it across the object to be cut")
        highest = max(self.objects.highest, int(frame.max()))
        known = self.objects.items.get((t, label))
        within = known.box if known else None
        self._write(t, edit.split(frame, label, points[:, -2:], next_id=highest + 1, within=within), then=(t, label))

    def delete(self) -> None:
        """Turn the current object into background and go to the next."""
        t, label = self._must_have_current()
        patch = edit.delete(self.frame(t), label, within=self.objects.items[t, label].box)
        self._write(t, patch, then=None)
        if not self.step(1):
            self.step(-1)

    def fill_holes(self) -> bool:
        """Fill the holes of the current object; tell whether it had any."""
        t, label = self._must_have_current()
        frame = self.frame(t)
        patch = edit.fill_holes(frame, label, within=self.objects.items[t, label].box)
        has_holes = bool((frame[patch.box] != patch.labels).any())
        if has_holes:
            self._write(t, patch, then=(t, label))
        return has_holes

    def neighbours(self) -> list[int]:
        """Return the objects near the current one."""
        t, label = self._must_have_current()
        return edit.neighbours(self.frame(t), label, within=self.objects.items[t, label].box)

    def label_at(self, position: Sequence[float]) -> Key | None:
        """Return the object at a place of the layer's data."""
        index = tuple(round(float(one)) for one in position)
        data = _layers.data_of(self.layer)
        if not all(0 <= one < length for one, length in zip(index, data.shape, strict=True)):
            return None
        label = int(np.asarray(data[index]))
        return (index[0] if "T" in self.axes else 0, label) if label > 0 else None

    def add_to_training_set(self, *, region: _training_set.Region, folder: Path) -> None:
        """Store the field as a pair of files and of layers."""
        field = _training_set.take_field(self.layer, self.image, axes=self.axes, region=region, viewer=self.viewer)
        self.saving.start(lambda: _training_set.store(field, folder=folder))

    def _write(self, t: int, patch: edit.Patch, *, then: Key | None) -> None:
        if not self.layer.editable:
            raise InputError(f"layer '{self.layer.name}' cannot be edited (multiscale or in 3D view); see its controls")
        lead = (slice(t, t + 1),) if "T" in self.axes else ()
        with self._writing():
            _layers.replace_box(
                self.layer, (*lead, *patch.box), patch.labels.reshape((1,) * len(lead) + patch.labels.shape)
            )
        keys = {(t, one) for one in patch.ids}
        self.objects.look_again(keys, self.frame, near=patch.box)
        self.measure_again(keys)
        self._touched |= keys
        self._sequence = None
        if then is not None:
            self.go_to(then, moves_view=False)
        else:
            self._show_focus()
            self.changed.emit()

    def _must_have_current(self) -> Key:
        item = self.objects.items.get(self.current) if self.objects and self.layer is not None else None
        if item is None or not item.is_there:
            raise InputError("no object is chosen; press N for the next one, or click on one")
        return item.key

    def _on_saving_succeeded(self, pair: Any) -> None:
        if self.viewer is not None:
            active = self.viewer.layers.selection.active
            _training_set.add_layers(self.viewer, pair)
            self.viewer.layers.selection.active = active
