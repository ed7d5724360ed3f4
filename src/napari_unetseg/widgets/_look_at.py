"""Move the viewer to an object: the right slice, the object in the middle, at a size that can be judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from napari.layers import Layer

from napari_unetseg.widgets._camera import camera_of

SMALLEST, LARGEST, WANTED = 0.08, 0.6, 0.2
"""Share of the canvas that an object takes: outside the first two the zoom changes, to the third; else it stays."""
CANVAS = (600, 800)  # px, for viewers that do not tell


def look_at(viewer: Any, layer: Layer, *, centre: Sequence[float], box: Sequence[slice]) -> None:
    """Show the object of `layer` with this centre and box, both along all axes of the layer's data."""
    offset = viewer.dims.ndim - layer.ndim
    world = np.asarray(layer.data_to_world(centre))
    hidden = [axis for axis in viewer.dims.not_displayed if axis >= offset]
    if hidden:
        viewer.dims.set_point(hidden, [float(world[axis - offset]) for axis in hidden])
    shown = [axis - offset for axis in viewer.dims.displayed if axis >= offset]
    corners = np.array([layer.data_to_world([getattr(side, end) for side in box]) for end in ("start", "stop")])
    extent = float(np.abs(corners[1] - corners[0])[shown].max())
    canvas = float(min(getattr(getattr(viewer, "canvas", None), "size", CANVAS)))
    camera = camera_of(viewer)
    share = extent * camera.zoom / canvas
    if extent > 0 and not SMALLEST <= share <= LARGEST:
        camera.zoom = WANTED * canvas / extent
    camera.center = tuple(float(world[axis]) for axis in shown)
