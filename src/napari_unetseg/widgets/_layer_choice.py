"""Choosing a layer of one kind; the list follows the viewer, and a layer renamed or moved stays chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

FEWEST_CHARACTERS = 12


class LayerChoice(QComboBox):
    """A combo box of the viewer's layers of `kind`; `value` is the layer itself, none where there is no such layer.

    With `none_word` that is the first entry, and a choice too; layers that `accepts` refuses are left out. `changed`
    carries the layer whenever the value changes.
    """

    changed = Signal(object)

    def __init__(
        self,
        viewer: Any,
        kind: type[Layer],
        *,
        none_word: str = "",
        accepts: Callable[[Layer], bool] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._kind, self._none_word, self._accepts = viewer, kind, none_word, accepts
        self._layers: list[Layer | None] = []
        self._last: Layer | None = None
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(FEWEST_CHARACTERS)
        self.reset_choices()
        self.currentIndexChanged.connect(self._on_index_changed)

    def value(self) -> Layer | None:
        """Return the chosen layer."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def set_value(self, layer: Layer | None) -> None:
        """Choose a layer, if it is in the list."""
        for index, one in enumerate(self._layers):
            if one is layer:
                self.setCurrentIndex(index)

    def reset_choices(self) -> None:
        """Read the viewer's layers again, the topmost first, and keep the choice."""
        before = self._last
        self.blockSignals(True)
        self._layers = [layer for layer in reversed(self._viewer.layers) if self._is_choice(layer)]
        if self._none_word:
            self._layers.insert(0, None)
        self.clear()
        self.addItems([self._none_word if layer is None else layer.name for layer in self._layers])
        self.set_value(before)
        self.blockSignals(False)
        self._on_index_changed()

    def _is_choice(self, layer: Layer) -> bool:
        return isinstance(layer, self._kind) and (self._accepts is None or self._accepts(layer))

    def _on_index_changed(self, _index: int = 0) -> None:
        if self.value() is not self._last:
            self._last = self.value()
            self.changed.emit(self._last)
