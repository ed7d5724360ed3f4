"""The tools of the Review dock that change objects: merge, split, fill holes, delete; and choosing one by a click."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from napari.layers import Labels
from qtpy.QtWidgets import QGridLayout, QMenu, QPushButton, QWidget

from napari_unetseg.widgets._message import Message
from napari_unetseg.widgets._review_session import ReviewSession
from napari_unetseg.widgets._split_line import SplitLine

STILL = 4  # px that the mouse may move during a click
MOST_NEIGHBOURS = 8  # in the menu, the ones with the longest contact


class EditTools(QWidget):
    """Four buttons; `guarded` is called with what a button does, `message` says what to do next."""

    def __init__(
        self, session: ReviewSession, *, guarded: Callable[[Callable[[], Any]], None], message: Message
    ) -> None:
        super().__init__()
        self._session, self._guarded, self._message = session, guarded, message
        self._merges_next_click = False
        self._clicked: Labels | None = None
        self.line = SplitLine(session.viewer, self)
        self.merge, self.split = QPushButton("Merge with…"), QPushButton("Split along a line")
        self.fill, self.remove = QPushButton("Fill holes"), QPushButton("Delete")
        self.merge.setToolTip("Give another object the number of this one; a gap of one pixel between them is closed")
        self.split.setToolTip("Drag a line across an object: it is cut there. Press again to give up")
        self.fill.setToolTip("Fill the holes inside this object; other objects in them stay")
        self.remove.setToolTip("Turn this object into background and go to the next one")
        self.split.setCheckable(True)
        self.menu = QMenu(self)
        self.merge.setMenu(self.menu)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        for index, button in enumerate((self.merge, self.split, self.fill, self.remove)):
            grid.addWidget(button, index // 2, index % 2)
        self.menu.aboutToShow.connect(self._on_menu_about_to_show)
        self.split.toggled.connect(self._on_split_toggled)
        self.fill.clicked.connect(lambda: self._guarded(self._fill))
        self.remove.clicked.connect(lambda: self._guarded(session.delete))
        self.line.drawn.connect(self._on_line_drawn)
        self.line.ended.connect(self._on_line_ended)

    def refresh(self, *, has_item: bool, is_ready: bool) -> None:
        """Let those buttons be pressed that can do something."""
        layer = self._session.layer
        is_editable = layer is not None and layer.editable and bool(self._session.axes)
        for button in (self.merge, self.fill, self.remove):
            button.setEnabled(has_item and is_editable)
        self.split.setEnabled(is_ready and is_editable)

    def hold(self, layer: Labels | None) -> None:
        """Choose objects of this layer by clicks."""
        self.release()
        if layer is not None:
            layer.mouse_drag_callbacks.append(self._on_layer_dragged)
            self._clicked = layer

    def release(self) -> None:
        """Leave clicks alone, and give up a line that is being drawn."""
        self.line.end()
        self._merges_next_click = False
        layer, self._clicked = self._clicked, None
        if layer is not None and self._on_layer_dragged in layer.mouse_drag_callbacks:
            layer.mouse_drag_callbacks.remove(self._on_layer_dragged)

    def _fill(self) -> None:
        if not self._session.fill_holes():
            self._message.show_text("This object has no holes.")

    def _on_menu_about_to_show(self) -> None:
        self.menu.clear()
        self.menu.addAction("the object I click next", self._await_click)
        near: list[int] = []
        self._guarded(lambda: near.extend(self._session.neighbours()))
        for label in near[:MOST_NEIGHBOURS]:
            self.menu.addAction(f"neighbour {label}", lambda label=label: self._merge([label]))
        if len(near) > 1:
            self.menu.addAction(f"all {len(near)} neighbours", lambda: self._merge(near))

    def _await_click(self) -> None:
        self._merges_next_click = True
        if self._session.layer is not None:
            self._session.layer.mode = "pan_zoom"
        self._message.show_text("Click on the object that belongs to this one.")

    def _merge(self, labels: list[int]) -> None:
        self._merges_next_click = False
        self._guarded(lambda: self._session.merge_with(labels))

    def _on_layer_dragged(self, layer: Labels, event: Any) -> Generator[None, None, None]:
        """Choose an object by a click, not a drag, in the mode that moves the view."""
        if str(layer.mode) != "pan_zoom" or len(event.dims_displayed) != 2 or self._session.objects is None:
            return
        start, is_click = np.asarray(event.pos), True
        yield
        while event.type == "mouse_move":
            is_click = is_click and np.abs(np.asarray(event.pos) - start).max() <= STILL
            yield
        key = self._session.label_at(layer.world_to_data(event.position)) if is_click else None
        if key is None:
            return
        if self._merges_next_click and self._session.current is not None:
            self._merge([key[1]])
        else:
            self._session.go_to(key, moves_view=False)

    def _on_split_toggled(self, is_on: bool) -> None:
        if is_on and self._session.layer is not None:
            self._message.show_text("Drag a line across the object, from outside to outside.")
            self.line.begin(self._session.layer, axes=self._session.axes)
        else:
            self.line.end()

    def _on_line_drawn(self, points: np.ndarray) -> None:
        self._guarded(lambda: self._session.split_along(points))

    def _on_line_ended(self) -> None:
        self._message.clear()
        self.split.setChecked(False)
