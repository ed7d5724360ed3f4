"""What labels mean to the Train dock: objects or classes, and whether that, the network and the image go together."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QLineEdit

from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets._dock import Dock
from napari_unetseg.widgets._meaning import CLASSES, OBJECTS, ROW, MeaningChoice

MEANING_TIP = (
    "Objects: every cell has its own number, and the model tells cells apart. Classes: a number stands for a kind of "
    "pixel (1 membrane, 2 vesicle, ...), and the model gives every pixel its class; where 0 is not annotated, paint "
    "background too, with the number chosen below 'Annotation and axes'"
)
NAMES_TIP = "Names of the classes 1, 2, ... with commas between; empty: they are called by their numbers"


class Meaning(QObject):
    """A choice in a dock, and the names of the classes, which are shown where there are some."""

    changed = Signal()

    def __init__(self, dock: Dock) -> None:
        super().__init__(dock)
        self.kind = MeaningChoice()
        dock.add_row(ROW, self.kind, tooltip=MEANING_TIP)
        self.names_field = QLineEdit()
        self.names_field.setPlaceholderText("membrane, vesicle, …")
        self._label = dock.add_row("Class names", self.names_field, tooltip=NAMES_TIP)
        self.kind.changed.connect(self._on_kind_changed)
        self.names_field.textEdited.connect(self.changed)
        self._show_names()

    @property
    def is_semantic(self) -> bool:
        """Whether labels are classes."""
        return self.kind.is_semantic

    def names(self) -> tuple[str, ...]:
        """Return the names of the classes 1, 2, ...; none if there are no classes, or no names."""
        texts = self.names_field.text().split(",") if self.is_semantic else ()
        return tuple(text.strip() for text in texts if text.strip())

    def suit(self, card: ModelCard | None) -> None:
        """Follow a model to start from; without one any meaning will do."""
        if card is not None:
            self.kind.set_semantic(card.target.is_semantic)

    def _on_kind_changed(self) -> None:
        self._show_names()
        self.changed.emit()

    def _show_names(self) -> None:
        for part in (self.names_field, self._label):
            part.setVisible(self.is_semantic)


def misfit(
    source: ImageSource, card: ModelCard | None, *, ndim: int, channels: tuple[int, ...] | None, is_semantic: bool
) -> str:
    """Say why network, labels and image do not go together; empty where they do. Without a card: from scratch."""
    if ndim == 3 and source.sizes["Z"] == 1:
        return f"'{source.name}' has no Z axis for a 3D network; start from a 2D model, or correct the axes"
    if card is None:
        return ""
    if card.target.is_semantic != is_semantic:
        return f"'{card.name}' knows {CLASSES if card.target.is_semantic else OBJECTS}: start from scratch"
    count = len(channels or range(source.sizes["C"]))
    if card.network.in_channels == count:
        return ""
    return (
        f"'{card.name}' reads {counted(card.network.in_channels, 'channel')}, '{source.name}' gives {count}: "
        "choose a channel below 'Annotation and axes', or start from scratch"
    )
