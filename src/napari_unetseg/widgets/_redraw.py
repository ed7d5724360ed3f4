"""Show labels that were written into a layer's array, by sending only those to the graphics card.

`Layer.refresh` colours and sends the whole plane anew: tenths of a second for 4096 x 4096 pixels, at each tile.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from napari.layers import Labels
from napari.utils.colormaps import label_colormap

Box = tuple[slice, ...]
BAND = 2**20
"""Pixels shown in one go: some milliseconds."""


class Redraw:
    """Remembers boxes of the array that were written, and shows them band by band."""

    def __init__(self) -> None:
        self._bands: deque[Box] = deque()

    def add(self, box: Box) -> None:
        """Note that a box (a slice for each axis of the array) was written; its last two axes are the longest."""
        rows = max(1, BAND // max(1, box[-1].stop - box[-1].start))
        start, stop = box[-2].start, box[-2].stop
        for row in range(start, stop, rows):
            self._bands.append((*box[:-2], slice(row, min(row + rows, stop)), box[-1]))

    def show_next(self, layer: Labels) -> bool:
        """Show one band of those that the canvas shows any of; say whether there are more."""
        while self._bands:
            if not _can_show_parts(layer):
                self._bands.clear()
                layer.refresh(thumbnail=False, highlight=False, extent=False)
                return False
            if _show(layer, self._bands.popleft()):
                break
        return bool(self._bands)

    def clear(self) -> None:
        """Forget what was noted: all is shown otherwise."""
        self._bands.clear()


def warm_up() -> None:
    """Let napari compile what colours labels, which takes it half a second, before the main thread needs it."""
    colormap = label_colormap()
    if hasattr(colormap, "_data_to_texture"):
        colormap._data_to_texture(np.zeros((1, 1), np.uint32))


def _can_show_parts(layer: Labels) -> bool:
    """Whether napari has the plane as it is, in the order of the array; it has for brush strokes."""
    needed = ("_partial_labels_refresh", "_get_pt_not_disp", "_slice_input", "_slice")
    if not layer.visible or layer.contour or not all(hasattr(layer, name) for name in needed):
        return False
    shown = list(layer._slice_input.displayed)
    return shown == [layer.ndim - 2, layer.ndim - 1] and layer._slice.image.raw.shape == layer.data.shape[-2:]


def _show(layer: Any, box: Box) -> bool:
    """Show a box; say whether the canvas shows any of it."""
    here = layer._get_pt_not_disp()
    if any(not box[axis].start <= index < box[axis].stop for axis, index in here.items()):
        return False
    window = box[-2:]
    image = layer._slice.image
    image.view[window] = layer.colormap._data_to_texture(image.raw[window])
    layer._updated_slice = box
    layer._partial_labels_refresh()
    return True
