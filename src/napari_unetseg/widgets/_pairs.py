"""Rows of image and labels layers to learn from, with the number of cells painted in each."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from napari_unetseg.labels.annotated import Painted, count_painted
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._dock import hint
from napari_unetseg.widgets._layer_choice import LayerChoice
from napari_unetseg.widgets._segment_result import ROLES as RESULTS
from napari_unetseg.widgets._train_layers import LayerPair, problem_of
from napari_unetseg.widgets._training_set import ROLE

BRUSH = 10  # px
RECOUNT = 600  # milliseconds after the last stroke
COUNTED = 64_000_000  # pixels of labels that are counted in the dock at most
OPEN_SOME = "Open an image first (File > Open), or the sample."
OR_CORRECTED = " Or add a pair with labels that you have corrected."
PAINT_SOME = "Paint five to twenty cells, each with its own number (key M takes the next number)."


CELLS, CLASSES = ("cell", "cells"), ("class", "classes")


class PairRow(QWidget):
    """Check box, image, labels, number of objects, and a button that takes the row away."""

    changed = Signal()
    removed = Signal()

    def __init__(
        self, viewer: Any, pair: LayerPair, *, background_id: int | None = None, noun: tuple[str, str] = CELLS
    ) -> None:
        super().__init__()
        self.pair = pair
        self.background_id = background_id
        self.noun = noun
        self.painted = Painted(0, 0.0)
        self.check = QCheckBox()
        self.check.setToolTip("Learn from this pair")
        self.check.setChecked(pair.is_used)
        self.image = LayerChoice(viewer, Image, accepts=_is_offered)
        self.image.setToolTip("Image to learn from")
        self.labels = LayerChoice(viewer, Labels, accepts=_is_offered)
        self.labels.setToolTip("Its labels: cells painted each with its own number, or classes each with one")
        self.count = QLabel()
        self.count.setToolTip("Number of cells, or of classes, painted")
        self.remove = QToolButton()
        self.remove.setText("×")
        self.remove.setToolTip("Take this pair out of the list; the layers stay")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        row.addWidget(self.check)
        for choice in (self.image, self.labels):
            choice.setMinimumContentsLength(3)
            choice.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            row.addWidget(choice, 1)
        row.addWidget(self.count)
        row.addWidget(self.remove)
        self.image.set_value(pair.image)
        self.labels.set_value(pair.labels)
        self._recount = QTimer(self)
        self._recount.setSingleShot(True)
        self._recount.setInterval(RECOUNT)
        self._recount.timeout.connect(self.recount)
        self._watched: Labels | None = None
        self._take_over()
        self.image.changed.connect(self._on_choice_changed)
        self.labels.changed.connect(self._on_choice_changed)
        self.check.toggled.connect(self._on_choice_changed)
        self.remove.clicked.connect(self.removed)

    def recount(self) -> None:
        """Count what is painted now."""
        data = None if self.pair.labels is None else _layers.data_of(self.pair.labels)
        is_countable = isinstance(data, np.ndarray) and data.size <= COUNTED
        self.painted = (
            count_painted(data, background_id=self.background_id)
            if is_countable
            else Painted(0 if data is None else 1, 0.0)
        )
        words = counted(self.painted.objects, *self.noun) if is_countable else f"? {self.noun[1]}"
        self.count.setText("" if data is None else words)
        self.changed.emit()

    def _on_choice_changed(self, _value: Any = None) -> None:
        self._take_over()
        self.changed.emit()

    def _take_over(self) -> None:
        self.pair.image, self.pair.labels = self.image.value(), self.labels.value()
        self.pair.is_used = self.check.isChecked()
        if self._watched is not self.pair.labels:
            self._watch(self.pair.labels)
            self.recount()

    def _watch(self, layer: Labels | None) -> None:
        for old, act in ((self._watched, "disconnect"), (layer, "connect")):
            if old is not None:
                for event in (old.events.paint, old.events.labels_update, old.events.set_data):
                    getattr(event, act)(self._on_labels_changed)
        self._watched = layer

    def _on_labels_changed(self, _event: Any = None) -> None:
        self._recount.start()


class PairList(QWidget):
    """Rows of pairs; `rows` is shared with the session, so that they outlive the dock."""

    changed = Signal()
    failed = Signal(object)

    def __init__(self, viewer: Any, rows: list[LayerPair]) -> None:
        super().__init__()
        self.viewer = viewer
        self._rows = rows
        self._seen: set[int] = set()
        self._background_id: int | None = None
        self._noun = CELLS
        self.widgets: list[PairRow] = []
        self._column = QVBoxLayout()
        self._column.setSpacing(3)
        self.title = QLabel("Images and labels")
        self.title.setToolTip("What is learnt from: images, and labels in which every cell has its own number")
        self.help = hint()
        self.sample = QPushButton("Open sample")
        self.sample.setToolTip("Add simulated nuclei, to try things out")
        self.sample.clicked.connect(self._on_sample_clicked)
        self.new_labels = QPushButton("New labels layer for this image")
        self.new_labels.setToolTip("Add an empty Labels layer of the image's size and place, and take up the brush")
        self.new_labels.clicked.connect(self._on_new_labels_clicked)
        self.add = QPushButton("+ Add pair")
        self.add.setToolTip("Learn from one more image with labels")
        self.add.clicked.connect(self._on_add_clicked)
        below = QHBoxLayout()
        self.new_labels.setMinimumWidth(1)
        below.addWidget(self.add)
        below.addWidget(self.new_labels, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.title)
        layout.addLayout(self._column)
        layout.addLayout(below)
        layout.addWidget(self.help)
        layout.addWidget(self.sample)
        self.reset_choices()

    def value(self) -> list[LayerPair]:
        """Return the pairs that are used."""
        return [row.pair for row in self.widgets if row.pair.is_used]

    def set_background(self, label: int | None) -> None:
        """Do not count this label as a cell: it marks background."""
        if label == self._background_id:
            return
        self._background_id = label
        for row in self.widgets:
            row.background_id = label
            row.recount()

    def set_meaning(self, *, is_semantic: bool) -> None:
        """Say what is counted: cells, or classes."""
        self._noun = CLASSES if is_semantic else CELLS
        for row in self.widgets:
            row.noun = self._noun
            row.recount()

    def painted(self) -> Painted:
        """Return how much is painted in the pairs that are used, all together."""
        used = [row.painted for row in self.widgets if row.pair.is_used]
        return Painted(sum(one.objects for one in used), max((one.share for one in used), default=0.0))

    def problem(self, *, axes: str = "") -> str:
        """Say why nothing can be learnt yet; empty where it can."""
        if not self._layers_of(Image):
            return OPEN_SOME
        if not self._layers_of(Labels):
            return PAINT_SOME
        used = self.value()
        if not used:
            return "Choose at least one pair to learn from."
        problem = next(filter(None, (problem_of(pair, axes=axes) for pair in used)), "")
        if problem:
            return problem
        return "" if self.painted().objects else PAINT_SOME

    def reset_choices(self) -> None:
        """Follow the viewer's layers; stored training pairs get a row of their own when they appear."""
        for row in self.widgets:
            row.blockSignals(True)
            row.image.reset_choices()
            row.labels.reset_choices()
            row.blockSignals(False)
        self._find_stored_pairs()
        suggestion = None if self._rows else self._suggestion()
        if suggestion is not None:
            self._rows.append(suggestion)
        if [row.pair for row in self.widgets] != self._rows:
            self._rebuild()
        self._show_state()
        self.changed.emit()

    def _suggestion(self) -> LayerPair | None:
        """Return the first labels that fit an image, else the topmost of both; what a model found is no suggestion."""
        labels = [layer for layer in self._layers_of(Labels) if _fact(layer, "role") not in RESULTS]
        pairs = [LayerPair(image, one) for one in labels for image in self._layers_of(Image)]
        return next((pair for pair in pairs if not problem_of(pair)), pairs[0] if pairs else None)

    def _find_stored_pairs(self) -> None:
        """Add the pairs that the Review dock has stored, once each; a row that was taken away stays away."""
        images = {_fact(layer, "pair"): layer for layer in self._layers_of(Image) if _fact(layer, "role") == ROLE}
        for labels in self._layers_of(Labels):
            is_new = _fact(labels, "role") == ROLE and id(labels) not in self._seen
            known = any(pair.labels is labels for pair in self._rows)
            if is_new and not known and _fact(labels, "pair") in images:
                self._seen.add(id(labels))
                self._rows.append(LayerPair(images[_fact(labels, "pair")], labels))

    def _rebuild(self) -> None:
        for row in self.widgets:
            self._column.removeWidget(row)
            row.hide()
            row.deleteLater()
        self.widgets = []
        for pair in self._rows:
            row = PairRow(self.viewer, pair, background_id=self._background_id, noun=self._noun)
            row.changed.connect(self._on_row_changed)
            row.removed.connect(lambda row=row: self._on_row_removed(row))
            self._column.addWidget(row)
            self.widgets.append(row)

    def _show_state(self) -> None:
        has_labels = bool(self._layers_of(Labels))
        has_images = bool(self._layers_of(Image))
        self.add.setVisible(has_labels and has_images)
        self.new_labels.setVisible(has_images)
        self.new_labels.setText("New labels layer" if has_labels else "New labels layer for this image")
        self.sample.setVisible(not has_images)
        self.help.setText((PAINT_SOME + OR_CORRECTED * has_labels) if has_images else OPEN_SOME)
        self.help.setVisible(not self._rows)

    def _on_row_changed(self) -> None:
        self.changed.emit()

    def _on_row_removed(self, row: PairRow) -> None:
        self._seen.add(id(row.pair.labels))
        self._rows[:] = [pair for pair in self._rows if pair is not row.pair]
        self._rebuild()
        self._show_state()
        self.changed.emit()

    def _on_add_clicked(self) -> None:
        used = [pair.labels for pair in self._rows]
        labels = self._layers_of(Labels)
        free = [layer for layer in labels if not any(layer is one for one in used)] or labels
        pairs = [LayerPair(image, one) for one in free for image in self._layers_of(Image)]
        self._rows.append(next((pair for pair in pairs if not problem_of(pair)), pairs[0]))
        self._rebuild()
        self.changed.emit()

    def _on_new_labels_clicked(self) -> None:
        """Add empty labels for the active image, else for the image of the first row or the topmost one."""
        images = self._layers_of(Image)
        active = self.viewer.layers.selection.active
        chosen = next((image for image in images if image is active), images[0])
        try:
            layer = _layers.new_labels(self.viewer, chosen)
        except UnetSegError as error:
            self.failed.emit(error)
            return
        layer.brush_size = BRUSH
        if not any(pair.labels is layer for pair in self._rows):
            self._rows.append(LayerPair(chosen, layer))
            self._rebuild()
        self._show_state()
        self.changed.emit()

    def _on_sample_clicked(self) -> None:
        self.viewer.open_sample("napari-unetseg", "cells_2d")

    def _layers_of(self, kind: type[Layer]) -> list[Any]:
        return [layer for layer in reversed(self.viewer.layers) if isinstance(layer, kind) and _is_offered(layer)]


def _is_offered(layer: Layer) -> bool:
    return not _layers.is_aid(layer)


def _fact(layer: Layer, name: str) -> Any:
    return layer.metadata.get(_layers.METADATA, {}).get(name)
