"""Choosing the image to segment: the layer, what its axes mean, and the channels the model reads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._dock import hint
from napari_unetseg.widgets._layer_choice import LayerChoice

AXES_TIP = "Meaning of the image's axes, such as ZYX, TYX, CYX or YXS (S: RGB colours); Z: depth, T: time, C: channel"
COLOURS = ("red", "green", "blue", "alpha")
UNITS = (("nm", 1e-3, 0.0), ("µm", 1.0, 0.01), ("mm", 1e3, 1e3))  # name, size in µm, from what size it is used


class ImageChoice(QWidget):
    """A layer with a line of facts, its axes, and as many channels as the model wants where there is a choice."""

    changed = Signal()

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._card: ModelCard | None = None
        self._axes: dict[int, str] = {}  # what a person wrote, by layer
        self.layer = LayerChoice(viewer, Image)
        self.layer.setToolTip("The image to segment: any Image layer; of several resolutions the finest is read")
        self.facts = hint()
        self.axes = QLineEdit()
        self.axes.setToolTip(AXES_TIP)
        self.axes.setMaximumWidth(70)
        self.channels: list[QComboBox] = []
        self._row = QHBoxLayout()
        self._row.addWidget(QLabel("axes"))
        self._row.addWidget(self.axes)
        self._row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self.layer, self.facts):
            layout.addWidget(part)
        layout.addLayout(self._row)
        self.layer.changed.connect(self._on_layer_changed)
        self.axes.textEdited.connect(self._on_axes_edited)
        self._on_layer_changed(self.layer.value())

    def value(self) -> tuple[Image, ImageSource, tuple[int, ...]]:
        """Return layer, lazy image and channels; `InputError` where the model cannot read them."""
        layer = self.layer.value()
        if layer is None:
            raise InputError("there is no image yet: open one, or the sample")
        source = _layers.source_of(layer, axes=self.axes.text().strip().upper())
        card = self._card
        if card is None:
            raise InputError("this model cannot be used; choose another one")
        wanted, there = card.network.in_channels, source.sizes["C"]
        if there < wanted:
            raise InputError(
                f"the model reads {counted(wanted, 'channel')} ({', '.join(card.channels)}), the image has {there}; "
                "choose another model, or correct the axes"
            )
        if card.network.ndim == 3 and source.sizes["Z"] == 1:
            raise InputError("this is a 3D model and the image has no Z axis; correct the axes, or choose a 2D model")
        chosen = tuple(box.currentIndex() for box in self.channels) if self.channels else tuple(range(wanted))
        if len(set(chosen)) < len(chosen):
            raise InputError("a channel is chosen twice; choose another one for each of the model's channels")
        return layer, source, chosen

    def set_card(self, card: ModelCard | None) -> None:
        """Offer the channels that a model reads."""
        self._card = card
        self._offer_channels()

    def set_axes(self, letters: str) -> None:
        """Write axes, as a person would."""
        self.axes.setText(letters)
        self._on_axes_edited(letters)

    def reset_choices(self) -> None:
        """Follow the viewer's layers."""
        self.layer.reset_choices()

    def _on_layer_changed(self, layer: Image | None) -> None:
        for part in (self.facts, self.axes):
            part.setVisible(layer is not None)
        self._row.itemAt(0).widget().setVisible(layer is not None)
        if layer is not None:
            self.axes.setText(self._axes.get(id(layer)) or _suggested(layer))
        self._refresh()

    def _on_axes_edited(self, text: str) -> None:
        self._axes = {id(self.layer.value()): text}
        self._refresh()

    def _refresh(self) -> None:
        layer = self.layer.value()
        if layer is not None:
            self.facts.setText(facts_of(layer, axes=self.axes.text().strip().upper()))
        self._offer_channels()
        self.changed.emit()

    def _offer_channels(self) -> None:
        """Show a box for each channel of the model, if the image has more channels than that."""
        names, wanted = self._channel_names(), self._card.channels if self._card is not None else ()
        names = names if len(names) > len(wanted) else []
        before = [box.currentIndex() for box in self.channels]
        if [_items(box) for box in self.channels] == [names] * len(wanted) * bool(names):
            return
        for box in self.channels:
            self._row.removeWidget(box)
            box.hide()
            box.deleteLater()
        self.channels = []
        for number, name in enumerate(wanted if names else ()):
            box = QComboBox()
            box.addItems(names)
            box.setCurrentIndex(before[number] if number < len(before) and before[number] < len(names) else number)
            box.setToolTip(f"Channel of the image that holds what the model calls '{name}'")
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
            self._row.addWidget(box)
            self.channels.append(box)

    def _channel_names(self) -> list[str]:
        layer = self.layer.value()
        if layer is None:
            return []
        try:
            source = _layers.source_of(layer, axes=self.axes.text().strip().upper())
        except UnetSegError:
            return []
        count = source.sizes["C"]
        if "S" in source.axes.letters and count <= len(COLOURS):
            return list(COLOURS[:count])
        return [f"channel {number}" for number in range(count)] if count > 1 else []


def facts_of(layer: Image, *, axes: str) -> str:
    """Return what an image is, in a line or two: "Z 40 · Y 2048 · X 2048 · uint16", and the size of a pixel."""
    try:
        source = _layers.source_of(layer, axes=axes)
    except UnetSegError as error:
        return str(error)
    lengths = [f"{letter} {length}" for letter, length in zip(source.axes.letters, source.shape, strict=True)]
    text = " · ".join([*lengths, str(source.dtype)])
    size = pixel_size(source.scale)
    return f"{text}\n{size}" if size else text


def pixel_size(scale: dict[str, float]) -> str:
    """Return the size of a pixel: "0.32 µm, 1 µm in Z"; empty where it is not known."""
    parts = []
    if "Y" in scale and "X" in scale:
        y, x = scale["Y"], scale["X"]
        parts.append(_length(x) if math.isclose(y, x) else f"{_length(y)} in Y, {_length(x)} in X")
    if "Z" in scale:
        parts.append(f"{_length(scale['Z'])} in Z")
    return "pixel " + ", ".join(parts) if parts else ""


def _length(micrometres: float) -> str:
    unit, size, _ = next(one for one in reversed(UNITS) if abs(micrometres) >= one[2])
    return f"{micrometres / size:.3g} {unit}"


def _suggested(layer: Image) -> str:
    try:
        return _layers.suggested_axes(layer)
    except UnetSegError:
        return ""


def _items(box: QComboBox) -> Sequence[str]:
    return [box.itemText(index) for index in range(box.count())]
