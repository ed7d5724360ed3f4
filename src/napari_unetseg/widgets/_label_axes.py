"""Saying whether the first of three axes is depth or time, where a label map does not tell."""

from __future__ import annotations

from napari.layers import Image, Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

from napari_unetseg.widgets import _layers

CHOICES = {"ZYX": "Z: planes of a stack", "TYX": "T: time points"}


class AxesChoice(QComboBox):
    """Hidden unless the labels have three axes; `value` are the letters, none where the labels cannot be used."""

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setToolTip("Objects go on through the planes of a stack; time points are compared one by one")
        for letters, text in CHOICES.items():
            self.addItem(text, letters)
        self._letters = ""
        self._layer: Labels | None = None
        self.setVisible(False)
        self.currentIndexChanged.connect(self._on_index_changed)

    def value(self) -> str:
        """Return the axis letters of the labels."""
        return self.currentData() if self._letters in CHOICES else self._letters

    def show_for(self, layer: Labels | None, *, image: Image | None = None) -> None:
        """Suggest letters for a layer; what a person has chosen for it stays."""
        letters = _layers.label_letters(layer, image=image) if layer is not None else ""
        if layer is not self._layer or letters != self._letters:
            self._layer, self._letters = layer, letters
            if letters in CHOICES:
                self.blockSignals(True)
                self.setCurrentIndex(list(CHOICES).index(letters))
                self.blockSignals(False)
        self.setVisible(letters in CHOICES)

    def _on_index_changed(self, _index: int) -> None:
        self.changed.emit(self.value())
