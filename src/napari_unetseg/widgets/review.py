"""The Review dock: go through objects, the doubtful ones first, correct them, and keep what was corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari.viewer
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QProgressBar, QPushButton

from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._add_field import AddField
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._edit_tools import EditTools
from napari_unetseg.widgets._keys import Keys
from napari_unetseg.widgets._label_axes import AxesChoice
from napari_unetseg.widgets._layer_choice import LayerChoice
from napari_unetseg.widgets._review_session import ReviewSession
from napari_unetseg.widgets._segment_result import CLASSES
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets._training_set import ROLE

ORDERS = {
    "doubt": "most doubtful first",
    "smallest": "smallest first",
    "largest": "largest first",
    "border": "at the border only",
}
DOUBT_BY_SHAPE = (
    "Doubt is judged by shape and size, since the layer has no column 'confidence': objects that are far from an "
    "ellipse (often two in one) or much larger or smaller than the others come first"
)
DOUBT_BY_CONFIDENCE = "Doubt is 1 - confidence, from the column 'confidence' of the layer's features"
BEYOND_MEMORY = (
    "larger than memory: look at them here, but to go through and correct objects, segment a slice or a rectangle"
)
EMPTY = "Nothing to review yet. Segment an image first, or add a Labels layer; its objects are then gone through here."


class ReviewDock(Dock):
    """Shows the viewer's review session; closed and opened again, it goes on where it was."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.session = session_of(viewer, ReviewSession)
        self._viewer = self.session.viewer
        self._held: Labels | None = None
        self._is_front = False
        self._keys = Keys({"n": self._on_next, "p": self._on_previous, "a": self._on_accept})
        self._build_choice()
        self._build_walk()
        self.tools = EditTools(self.session, guarded=self.guarded, message=self.message)
        self.column.addWidget(self.tools)
        self.column.addWidget(hint("Each correction is one step of undo (Ctrl+Z). Click on an object to choose it."))
        self.field = AddField(self.session, self.guarded)
        self.add_section("Add to training set", self.field)
        self.accept = QPushButton("Accept (A)")
        self.accept.setToolTip("Mark the object as reviewed (column 'reviewed' of the features) and go to the next one")
        self.accept.clicked.connect(self._on_accept)
        self.add_buttons(self.accept)
        self._connect()
        self.labels.set_value(self.session.layer)
        self.image.set_value(self.session.image)
        self._on_choice_changed()

    def reset_choices(self, _event: Any = None) -> None:
        """Follow the viewer's layers."""
        self.labels.reset_choices()
        self.image.reset_choices()
        self._on_choice_changed()

    def _build_choice(self) -> None:
        self.labels = LayerChoice(self._viewer, Labels, accepts=_is_reviewed)
        self.add_row("Labels", self.labels, tooltip="The layer whose objects are reviewed and corrected, in place")
        self.image = LayerChoice(self._viewer, Image, accepts=_is_reviewed)
        self.add_row("Image", self.image, tooltip="The image of these labels; a training set needs both")
        self.axes = AxesChoice()
        self.axes_label = self.add_row("First axis", self.axes, tooltip=self.axes.toolTip())
        self.facts = hint()
        self.column.addWidget(self.facts)
        self.list_objects = QPushButton("List the objects")
        self.list_objects.setToolTip("Measure all objects; a stack this large is only read when you ask for it")
        self.column.addWidget(self.list_objects)

    def _build_walk(self) -> None:
        self.order = QComboBox()
        for word, text in ORDERS.items():
            self.order.addItem(text, word)
        self.order.setCurrentIndex(list(ORDERS).index(self.session.order))
        self.order_label = self.add_row("Order", self.order, tooltip=DOUBT_BY_SHAPE)
        self.skip = QCheckBox("Skip reviewed objects")
        self.skip.setChecked(self.session.skips_reviewed)
        self.skip.setToolTip("Next goes only to objects that are not accepted yet")
        self.column.addWidget(self.skip)
        self.previous = QPushButton("◀ Previous (P)")
        self.previous.setToolTip("Go back one object. While this dock is open P does not choose the brush; 2 does")
        self.next = QPushButton("Next (N) ▶")
        self.next.setToolTip("Go to the next object: it is selected, and the view moves to it")
        row = QHBoxLayout()
        row.addWidget(self.previous)
        row.addWidget(self.next)
        self.column.addLayout(row)
        self.about = hint()
        self.column.addWidget(self.about)
        self.done = QProgressBar()
        self.done.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.done.setToolTip("Accepted objects, and all objects of the layer")
        self.column.addWidget(self.done)

    def _connect(self) -> None:
        for choice in (self.labels, self.image, self.axes):
            choice.changed.connect(self._on_choice_changed)
        self.order.currentIndexChanged.connect(self._on_order_changed)
        self.skip.toggled.connect(self._on_order_changed)
        self.list_objects.clicked.connect(self.session.survey)
        self.next.clicked.connect(self._on_next)
        self.previous.clicked.connect(self._on_previous)
        session = self.session
        session.changed.connect(self._refresh)
        for job in (session.job, session.saving):
            job.changed.connect(self._refresh)
            job.failed.connect(self.message.show_error)
        session.job.progressed.connect(self._on_job_progressed)
        session.saving.succeeded.connect(self._on_saving_succeeded)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802  (Qt's name)
        super().showEvent(event)
        self.on_front(True)

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802  (Qt's name)
        super().hideEvent(event)
        self.on_front(False)

    def on_front(self, is_front: bool) -> None:
        """Take keys and clicks, and frame the object, only while the dock is in sight."""
        self._is_front = is_front
        if is_front:
            self._hold()
        else:
            self.tools.release()
            self._keys.release()
            self._held = None
        self.session.watch(is_front)

    def guarded(self, action: Callable[[], Any]) -> None:
        """Do what a button is for; show what is wrong instead of raising it."""
        self.message.clear()
        try:
            action()
        except UnetSegError as error:
            self.message.show_error(error)

    def _hold(self) -> None:
        """Bind keys and clicks of the viewer and of the layer; the layer's own P would win over the viewer's."""
        self._held = self.session.layer
        self._keys.hold(self._viewer, *([self._held] if self._held is not None else []))
        self.tools.hold(self._held)

    def _on_choice_changed(self, _value: Any = None) -> None:
        layer, image = self.labels.value(), self.image.value()
        self.axes.show_for(layer, image=image)
        self.axes_label.setVisible(self.axes.isVisibleTo(self))
        self.session.image = image
        self.session.choose(layer, axes=self.axes.value())
        if self._is_front and layer is not self._held:
            self._hold()
        self._refresh()

    def _on_order_changed(self, _value: Any = None) -> None:
        self.session.set_order(self.order.currentData(), skips_reviewed=self.skip.isChecked())

    def _on_next(self) -> None:
        self.guarded(lambda: self._step(1))

    def _on_previous(self) -> None:
        self.guarded(lambda: self._step(-1))

    def _step(self, direction: int) -> None:
        if not self.session.step(direction) and self.session.objects is not None:
            unit = "object that is not reviewed" if self.session.skips_reviewed and direction > 0 else "object"
            self.message.show_text(f"There is no further {unit} in this order.")

    def _on_accept(self) -> None:
        self.guarded(self.session.accept)

    def _on_job_progressed(self, event: Any) -> None:
        self.progress.show_fraction(event.done / event.total, detail="listing objects")

    def _on_saving_succeeded(self, pair: Any) -> None:
        self.message.show_text(f"Added {pair.path.name} to {pair.path.parent.parent}, and as two hidden layers.")

    def _refresh(self) -> None:
        session, objects = self.session, self.session.objects
        is_ready = objects is not None and objects.total > 0
        item = objects.items.get(session.current) if objects and session.current else None
        has_item = item is not None and item.is_there and session.layer is not None
        for button in (self.next, self.previous, self.order, self.skip):
            button.setEnabled(is_ready)
        self.accept.setEnabled(has_item)
        self.tools.refresh(has_item=has_item, is_ready=is_ready)
        can_list = session.is_large and objects is None and not session.is_beyond_memory
        self.list_objects.setVisible(can_list and not session.job.is_running)
        self.facts.setText(self._facts())
        self.about.setText(_about(item) if has_item else "Press N for the first object." if is_ready else "")
        self.done.setMaximum(max(1, objects.total if objects else 1))
        self.done.setValue(objects.done if objects else 0)
        self.done.setFormat(f"{objects.done} of {objects.total} reviewed" if objects else "")
        self.done.setVisible(is_ready)
        for part in (self.order, self.order_label):
            part.setToolTip(DOUBT_BY_CONFIDENCE if objects and objects.from_confidence else DOUBT_BY_SHAPE)
        if session.job.is_running != self.progress.isVisibleTo(self):
            (self.progress.start if session.job.is_running else self.progress.stop)()
        self.field.refresh()

    def _facts(self) -> str:
        layer, objects = self.session.layer, self.session.objects
        if layer is None:
            return EMPTY
        if not self.session.axes:
            return f"Labels with {layer.ndim} axes cannot be reviewed; choose labels of one image (TZYX at most)."
        sizes = zip(self.session.axes, _layers.data_of(layer).shape, strict=True)
        parts = [" · ".join(f"{letter} {size}" for letter, size in sizes)]
        if objects is not None:
            parts.append(counted(objects.total, "object"))
        if self.session.is_beyond_memory:
            parts.append(BEYOND_MEMORY)
        elif not layer.editable:
            parts.append("cannot be edited here (multiscale, or shown in 3D)")
        return " · ".join(parts)


def _is_reviewed(layer: Layer) -> bool:
    return not _layers.is_aid(layer) and _layers.role_of(layer) not in (ROLE, CLASSES)


def _about(item: Any) -> str:
    unit = "px" if len(item.box) == 2 else "voxels"
    parts = [f"Object {item.key[1]}", f"{item.size:,} {unit}", f"doubt {item.doubt:.2f}"]
    return " · ".join([*parts, "touches the border"] if item.touches_border else parts)
