"""Choosing a model: bundled ones, the user's own, or a file; with what its card says."""

from __future__ import annotations

import base64
from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unetseg.models import file, library
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.errors import UnetSegError

BROWSE = "Choose a file…"
THUMBNAIL = 48  # px on screen


class ModelChooser(QWidget):
    """A combo box of models, a line about the chosen one, its picture, and its card on request.

    `extra` are entries before the models, such as "from scratch"; `value` is then that word. `changed` carries the path
    of the model (or the word).
    """

    changed = Signal(object)

    def __init__(self, *, extra: tuple[str, ...] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._extra = extra
        self.card: ModelCard | None = None
        self.combo = QComboBox()
        self.combo.setToolTip("Bundled models, your own, or any model file (.safetensors)")
        self.picture = QLabel()
        self.summary = QLabel()
        self.summary.setWordWrap(True)
        self.details = QPushButton("Card…")
        self.details.setToolTip("Everything the model's card says: training data, scores, settings, licence")
        self.details.clicked.connect(self._on_details_clicked)
        row = QHBoxLayout()
        row.addWidget(self.picture)
        row.addWidget(self.summary, 1)
        row.addWidget(self.details, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.combo)
        layout.addLayout(row)
        self.refresh()
        self.combo.activated.connect(self._on_combo_activated)

    def value(self) -> Path | str:
        """Return the chosen model's path, or the word of an extra entry."""
        chosen = self.combo.currentData()
        return chosen if chosen is not None else ""

    def set_value(self, value: Path | str) -> None:
        """Choose a model by path (a file that is not in the list yet is added), by name, or an extra entry."""
        index = self._index_of(value)
        if index < 0:
            path = library.find(value)
            self.combo.insertItem(self.combo.count() - 1, f"{path.stem} · {path.parent}", path)
            index = self._index_of(path)
        self.combo.setCurrentIndex(index)
        self._chosen = index
        self._describe()
        self.changed.emit(self.value())

    def refresh(self) -> None:
        """Read the library again and keep the choice."""
        before = self.value() if self.combo.count() else None
        self.combo.clear()
        for word in self._extra:
            self.combo.addItem(word, word)
        own = library.bundled()
        for name, path in library.available().items():
            self.combo.addItem(f"{name} · {'bundled' if name in own else 'own'}", path)
        self.combo.addItem(BROWSE, None)
        self._chosen = 0
        if before and (self._index_of(before) >= 0 or Path(before).exists()):
            self.set_value(before)
        else:
            self._describe()

    def _index_of(self, value: Path | str) -> int:
        for index in range(self.combo.count()):
            data = self.combo.itemData(index)
            if data is not None and (data == value or (isinstance(data, Path) and data.stem == str(value))):
                return index
        return -1

    def _on_combo_activated(self, index: int) -> None:
        if self.combo.itemData(index) is not None:
            self.set_value(self.combo.itemData(index))
            return
        path, _ = QFileDialog.getOpenFileName(self, "Choose a model", "", f"Models (*{library.SUFFIX})")
        if path:
            self.set_value(Path(path))
        else:
            self.combo.setCurrentIndex(self._chosen)

    def _describe(self) -> None:
        self.card = None
        value = self.value()
        is_model = isinstance(value, Path)
        self.details.setVisible(is_model)
        self.picture.setVisible(False)
        self.summary.clear()
        if not is_model:
            return
        try:
            self.card = file.read_card(value)
        except UnetSegError as error:
            self.summary.setText(str(error))
            return
        self.summary.setText(summary_of(self.card))
        if self.card.thumbnail:
            pixmap = QPixmap()
            pixmap.loadFromData(base64.b64decode(self.card.thumbnail))
            self.picture.setPixmap(pixmap.scaled(THUMBNAIL, THUMBNAIL))
            self.picture.setVisible(not pixmap.isNull())

    def _on_details_clicked(self) -> None:
        if self.card is not None:
            show_card(self.card, parent=self)


def summary_of(card: ModelCard) -> str:
    """Return what a person wants to know before choosing: for what, how large, how good."""
    parts = [card.description.rstrip(".") or card.name]
    facts = [f"{card.axes}, {len(card.channels)} channel" + ("s" if len(card.channels) > 1 else "")]
    if card.object_diameter:
        facts.append(f"objects of about {card.object_diameter:.0f} px")
    record = card.training
    if record and "ap0.50" in record.scores:
        facts.append(f"AP@0.5 {record.scores['ap0.50']:.2f} on {record.validation_images} images")
    return "\n".join([*parts, " · ".join(facts)])


def show_card(card: ModelCard, *, parent: QWidget) -> None:
    """Open a window with the whole card."""
    dialog = QDialog(parent)
    dialog.setWindowTitle(f"Model '{card.name}'")
    text = QPlainTextEdit(card.model_dump_json(indent=2, exclude={"thumbnail"}))
    text.setReadOnly(True)
    layout = QVBoxLayout(dialog)
    layout.addWidget(text)
    dialog.resize(640, 520)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
