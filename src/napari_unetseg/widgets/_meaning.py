"""Saying whether the numbers in labels are objects or classes."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QWidget

OBJECTS, CLASSES = "objects", "classes"
ROW = "Labels are"


class MeaningChoice(QComboBox):
    """`changed` is emitted whenever the choice changes; each dock says in the tooltip what follows from it."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.addItems([OBJECTS, CLASSES])
        self.currentIndexChanged.connect(lambda _index: self.changed.emit())

    @property
    def is_semantic(self) -> bool:
        """Whether labels are classes."""
        return self.currentText() == CLASSES

    def set_semantic(self, is_semantic: bool) -> None:
        """Choose classes, or objects."""
        self.setCurrentText(CLASSES if is_semantic else OBJECTS)
