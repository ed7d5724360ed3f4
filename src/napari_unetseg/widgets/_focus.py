"""A frame around the object that is reviewed: a Shapes layer that is there only while one looks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any
from weakref import ref

import numpy as np
from napari.layers import Labels, Shapes

from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._camera import camera_of

ROLE = "focus"
NAME = "object in review"
COLOUR = "#f0e442"  # seen on dark and on bright images, and by colour-blind people
WIDTH = 2.5  # px on screen, at the zoom of the moment
AROUND = 2  # px of the labels between an object and its frame


class Focus:
    """`show` puts the frame around one object, `hide` takes it away; the active layer stays what it was."""

    def __init__(self, viewer: Any) -> None:
        self._viewer_ref = ref(viewer)  # a strong one would keep the viewer for ever
        self._layer: Shapes | None = None
        self._labels: Labels | None = None

    @property
    def _viewer(self) -> Any:
        return self._viewer_ref()

    def show(self, labels: Labels, *, axes: str, box: Sequence[slice]) -> None:
        """Frame what lies in `box`, which has all axes of the labels, in each of its planes."""
        width = WIDTH / max(float(camera_of(self._viewer).zoom) * float(np.abs(labels.scale[-1])), 1e-9)
        if self._layer not in self._viewer.layers or self._labels is not labels:
            self.hide()
            self._layer, self._labels = self._new_layer(labels, axes=axes), labels
        layer = self._layer
        layer.data = []
        layer.add_rectangles(_rectangles(box), edge_color=COLOUR, face_color="transparent", edge_width=width)

    def hide(self) -> None:
        """Remove the frame."""
        layer, self._layer, self._labels = self._layer, None, None
        if layer is not None and self._viewer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)

    def _new_layer(self, labels: Labels, *, axes: str) -> Shapes:
        selection = self._viewer.layers.selection
        chosen, active = set(selection), selection.active
        facts = {_layers.METADATA: {"role": ROLE, "source": labels.name}}
        place = _layers.placement(labels, axes=axes)
        layer = self._viewer.add_shapes(ndim=labels.ndim, name=NAME, opacity=1, metadata=facts, **place)
        layer.editable = False
        selection.clear()
        selection.update(chosen)
        selection.active = active
        return layer


def _rectangles(box: Sequence[slice]) -> list[np.ndarray]:
    """Return the corners (4, axes) of a rectangle in each plane of the box."""
    rows, columns = box[-2:]
    top, bottom = rows.start - AROUND - 0.5, rows.stop + AROUND - 0.5
    left, right = columns.start - AROUND - 0.5, columns.stop + AROUND - 0.5
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    planes = product(*(range(side.start, side.stop) for side in box[:-2]))
    return [np.hstack([np.tile(np.array(plane, float), (4, 1)), corners]) for plane in planes]
