"""A window with a model's card: its picture, the main facts, and every setting on request."""

from __future__ import annotations

import base64
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_unetseg.models.facts import every_field, main_facts
from napari_unetseg.schema.card import ModelCard

PICTURE = 128  # px on screen


def picture_of(card: ModelCard, *, edge: int) -> QPixmap:
    """Return the card's picture, at most `edge` px wide; an empty one where there is none or it cannot be read."""
    pixmap = QPixmap()
    try:
        is_read = bool(card.thumbnail) and pixmap.loadFromData(base64.b64decode(card.thumbnail))
    except ValueError:  # letters of base64, but not in fours
        is_read = False
    keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
    return pixmap.scaled(edge, edge, keep, smooth) if is_read else QPixmap()


class CardDialog(QDialog):
    """Shows what the model file at `path` says about itself."""

    def __init__(self, card: ModelCard, *, path: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Model '{card.name}'")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.facts = _facts(main_facts(card, path=path), picture=picture_of(card, edge=PICTURE))
        self.settings = QPlainTextEdit(
            "\n".join(f"{name} = {text}" for name, text in every_field(card.model_dump(mode="json")))
        )
        self.settings.setReadOnly(True)
        self.settings.setVisible(False)
        self.more = QPushButton("Every setting")
        self.more.setCheckable(True)
        self.more.setToolTip("Show all that the file records, as 'napari-unetseg models show --full' does")
        self.more.toggled.connect(self._on_more_toggled)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.more, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.facts)
        layout.addWidget(self.settings)
        layout.addWidget(buttons)
        self.resize(600, 580)

    def _on_more_toggled(self, is_full: bool) -> None:
        self.facts.setVisible(not is_full)
        self.settings.setVisible(is_full)


def _facts(facts: dict[str, str], *, picture: QPixmap) -> QScrollArea:
    inside = QWidget()
    form = QFormLayout(inside)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
    if not picture.isNull():
        image = QLabel()
        image.setPixmap(picture)
        form.addRow("image", image)
    for name, text in facts.items():
        value = QLabel(text)
        value.setTextFormat(Qt.TextFormat.PlainText)  # the file may come from anyone
        value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        value.setWordWrap(True)
        value.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        form.addRow(name, value)
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(inside)
    return area


def show_card(card: ModelCard, *, path: Path, parent: QWidget) -> CardDialog:
    """Open a window with the card of the model file at `path`."""
    dialog = CardDialog(card, path=path, parent=parent)
    dialog.show()
    return dialog
