"""Which part of an image is segmented: all, the slice shown, what the canvas shows, or a rectangle somebody drew."""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers import Image, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QRadioButton, QVBoxLayout, QWidget

from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._dock import hint

WORDS = {
    "all": "All of the image: every plane and time point",
    "slice": "The plane the viewer stands at; with a 3D model the whole volume of this time point",
    "view": "What the canvas shows of that plane",
    "box": "A rectangle drawn in a Shapes layer (the selected one, else the last), through all planes and time points",
}
EDGE, FILL = "#f0a040", "#00000000"  # of the rectangle: seen on bright and on dark, and nothing is hidden
GAP = 12  # px between a word and the next button
Region = dict[str, slice]
"""A slice for some of the axes T, Z, Y, X; the others are whole."""


class RegionChoice(QWidget):
    """Four words, and a line that says what the chosen one means here."""

    changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = {word: QRadioButton(word) for word in WORDS}
        group = QButtonGroup(self)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        for word, button in self.buttons.items():
            button.setToolTip(WORDS[word])
            group.addButton(button)
            row.addWidget(button)
            button.clicked.connect(lambda _=False, word=word: self.changed.emit(word))
        row.addStretch(1)
        self.buttons["all"].setChecked(True)
        self.meaning = hint()
        self.draw = QPushButton("Draw rectangle")
        self.draw.setToolTip("Add a Shapes layer with its rectangle tool at hand: drag it over the image")
        self.draw.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addLayout(row)
        layout.addWidget(self.meaning)
        layout.addWidget(self.draw)

    def value(self) -> str:
        """Return the chosen word."""
        return next(word for word, button in self.buttons.items() if button.isChecked())

    def set_value(self, word: str) -> None:
        """Choose a word."""
        self.buttons[word].setChecked(True)
        self.changed.emit(word)

    def say(self, text: str) -> None:
        """Say what the choice means."""
        self.meaning.setText(text)
        self.meaning.setVisible(bool(text))


def has_rectangle(viewer: Any) -> bool:
    """Say whether somebody has drawn one."""
    return any("rectangle" in layer.shape_type for layer in _shapes(viewer))


def add_shapes(viewer: Any, *, image: Image) -> Shapes:
    """Add a layer to draw a rectangle in, over the image."""
    shown = [axis - (viewer.dims.ndim - image.ndim) for axis in viewer.dims.displayed]
    width = 3 * float(min(image.scale[axis] for axis in shown if axis >= 0))
    layer = viewer.add_shapes(
        None, ndim=image.ndim, name="region", edge_color=EDGE, face_color=FILL, edge_width=width, units=image.units
    )
    layer.mode = "add_rectangle"
    return layer


def region_of(word: str, *, layer: Image, axes: str, viewer: Any, ndim: int) -> Region:
    """Return what the word means for a layer now, with a model of `ndim` axes; `InputError` where it means nothing."""
    here = {
        letter: slice(index, index + 1) for letter, index in _layers.current(layer, axes=axes, viewer=viewer).items()
    }
    if ndim == 3:
        here.pop("Z", None)
    match word:
        case "all":
            return {}
        case "slice":
            return here
        case "view":
            _check_view(viewer, layer=layer, axes=axes)
            rows, columns = _layers.visible(layer, axes=axes)
            return {**here, "Y": rows, "X": columns}
        case _:
            rows, columns = _rectangle(viewer, layer=layer, axes=axes)
            return {"Y": rows, "X": columns}


def describe(region: Region, *, word: str, sizes: dict[str, int]) -> str:
    """Say what a region is: "Z 12 · 512 × 640 px"."""
    names = {"T": "time point", "Z": "plane Z"}
    parts = [f"{names[letter]} {region[letter].start}" for letter in "TZ" if letter in region and sizes[letter] > 1]
    if word in ("view", "box"):
        lengths = [region[letter].indices(sizes[letter]) for letter in "YX"]
        parts.append(" × ".join(str(stop - start) for start, stop, _ in lengths) + " px")
    if word == "box" and sizes["Z"] * sizes["T"] > 1:
        parts.append("in all planes")
    return " · ".join(parts)


def _check_view(viewer: Any, *, layer: Image, axes: str) -> None:
    letters = axes.replace("S", "")
    displayed = [axis - (viewer.dims.ndim - layer.ndim) for axis in viewer.dims.displayed]
    if {letters[axis] if axis >= 0 else "" for axis in displayed} != {"Y", "X"}:
        raise InputError(
            "the canvas does not show Y and X alone: switch to 2D, and turn the axes back, or choose another region"
        )


def _rectangle(viewer: Any, *, layer: Image, axes: str) -> tuple[slice, slice]:
    """Return rows and columns of the layer that the user's rectangle covers."""
    vertices = _vertices(viewer)
    letters = axes.replace("S", "")
    corners = np.array([layer.world_to_data(point[-layer.ndim :]) for point in vertices])
    found = []
    for letter in "YX":
        position = letters.index(letter)
        length = _layers.data_of(layer).shape[position]
        start = int(np.clip(np.floor(corners[:, position].min() + 0.5), 0, length))
        stop = int(np.clip(np.floor(corners[:, position].max() + 0.5), 0, length))
        if stop - start < 1:
            raise InputError("the rectangle lies outside the image; draw it on the image, or choose another region")
        found.append(slice(start, stop))
    return found[0], found[1]


def _vertices(viewer: Any) -> list[np.ndarray]:
    """Return the corners of the rectangle, in the coordinates of the viewer's world."""
    for layer in _shapes(viewer):
        kinds = list(layer.shape_type)
        chosen = [index for index in sorted(layer.selected_data) if kinds[index] == "rectangle"]
        last = [index for index, kind in enumerate(kinds) if kind == "rectangle"][-1:]
        for index in (chosen or last)[:1]:
            points = []
            for vertex in layer.data[index]:
                point = np.array(viewer.dims.point, float)
                point[-layer.ndim :] = layer.data_to_world(vertex)
                points.append(point)
            return points
    raise InputError("there is no rectangle yet: add a Shapes layer and draw one, or choose another region")


def _shapes(viewer: Any) -> list[Shapes]:
    """Return the Shapes layers, the active one first, then from the top."""
    active = viewer.layers.selection.active
    layers = [one for one in reversed(viewer.layers) if isinstance(one, Shapes) and not _layers.is_aid(one)]
    return sorted(layers, key=lambda layer: layer is not active)
