"""Drawing the line along which an object is cut: a Shapes layer that is there only meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Labels, Shapes
from qtpy.QtCore import QObject, QTimer, Signal

from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._camera import camera_of

ROLE = "split line"
COLOUR = "#f0e442"  # seen on dark and on bright images, and by colour-blind people
WIDTH = 3  # px on screen


class SplitLine(QObject):
    """`begin` lets the user draw one line or path; `drawn` carries its points (n, axes of the labels). Then it is gone.

    `ended` is emitted however it ends: drawn, given up, or the layer removed by the user.
    """

    drawn = Signal(object)
    ended = Signal()

    def __init__(self, viewer: Any, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Shapes | None = None
        self._labels: Labels | None = None
        viewer.layers.events.removed.connect(self._on_layers_removed)

    @property
    def is_active(self) -> bool:
        """Whether a line is waited for."""
        return self._layer is not None

    def begin(self, labels: Labels, *, axes: str) -> None:
        """Add the layer, in the place of the labels, and choose its line tool."""
        self.end()
        place = _layers.placement(labels, axes=axes)
        width = WIDTH / max(float(camera_of(self._viewer).zoom) * float(np.abs(labels.scale[-1])), 1e-9)
        self._labels = labels
        self._layer = self._viewer.add_shapes(
            ndim=labels.ndim,
            name=ROLE,
            edge_color=COLOUR,
            edge_width=width,
            metadata={_layers.METADATA: {"role": ROLE, "source": labels.name}},
            **place,
        )
        self._layer.current_edge_width = width
        self._layer.mode = "add_line"
        self._layer.events.data.connect(self._on_layer_data)
        self._viewer.layers.selection.active = self._layer

    def end(self) -> None:
        """Remove the layer, and go back to the labels."""
        layer, self._layer = self._layer, None
        if layer is None:
            return
        layer.events.data.disconnect(self._on_layer_data)
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
        if self._labels in self._viewer.layers:
            self._viewer.layers.selection.active = self._labels
        self.ended.emit()

    def _on_layer_data(self, event: Any) -> None:
        if str(getattr(event.action, "value", event.action)) == "added":
            # The layer is still in the middle of its mouse event.
            QTimer.singleShot(0, self._take)

    def _take(self) -> None:
        if self._layer is None or not len(self._layer.data):
            return
        points = np.asarray(self._layer.data[-1], float)
        self.end()
        self.drawn.emit(points)

    def _on_layers_removed(self, event: Any) -> None:
        if event.value is self._layer:
            self._layer = None
            self.ended.emit()
