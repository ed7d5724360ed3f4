"""Choosing a model: bundled ones, the user's own, or a file; with what its card says."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_unetseg.models import file, library
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _settings
from napari_unetseg.widgets._card import picture_of, show_card

BROWSE = "Choose a file…"
THUMBNAIL = 48  # px on screen
FEWEST_CHARACTERS = 10  # shown of a model's name, however narrow the dock


class _News(QObject):
    """Tells every chooser of a model that was trained, imported or dropped on the viewer."""

    arrived = Signal(object)
    latest: Path | None = None


_news = _News()


def announce_model(path: Path) -> None:
    """List the model in every chooser, and choose it where only models can be chosen; also in docks opened later."""
    _news.latest = path
    _news.arrived.emit(path)


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
        self._value: Path | str = ""
        self.combo = QComboBox()
        self.combo.setToolTip("Bundled models, your own, or any model file (.safetensors)")
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.setMinimumContentsLength(FEWEST_CHARACTERS)
        self.picture = QLabel()
        self.summary = QLabel()
        self.summary.setTextFormat(Qt.TextFormat.PlainText)  # a file's text is no markup
        self.summary.setWordWrap(True)
        self.summary.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.details = QPushButton("Card…")
        self.details.setToolTip("Everything the model's card says: training data, scores, settings, licence")
        self.details.clicked.connect(self._on_details_clicked)
        choice, about = QHBoxLayout(), QHBoxLayout()
        choice.addWidget(self.combo, 1)
        choice.addWidget(self.details)
        about.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        about.addWidget(self.summary, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(choice)
        layout.addLayout(about)
        self.refresh()
        if _news.latest is not None:
            self._on_news_arrived(_news.latest)
        self.combo.activated.connect(self._on_combo_activated)
        _news.arrived.connect(self._on_news_arrived)

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
        self._choose(index)

    def refresh(self) -> None:
        """Read the library again and keep the choice, if it is still there."""
        before = self._value
        _settings.use_model_folder()
        self.combo.clear()
        for word in self._extra:
            self.combo.addItem(word, word)
        own = library.bundled()
        for name, path in library.available().items():
            self.combo.addItem(f"{name} · {'bundled' if name in own else 'own'}", path)
        self.combo.addItem(BROWSE, None)
        is_kept = before != "" and (self._index_of(before) >= 0 or Path(before).exists())
        if is_kept:
            self.set_value(before)
        else:
            self._choose(0)

    def _choose(self, index: int) -> None:
        self.combo.setCurrentIndex(index)
        self._chosen = index
        self._describe()
        if self.value() != self._value:
            self._value = self.value()
            self.changed.emit(self._value)

    def _index_of(self, value: Path | str) -> int:
        for index in range(self.combo.count()):
            data = self.combo.itemData(index)
            if data is not None and (data == value or (isinstance(data, Path) and data.stem == str(value))):
                return index
        return -1

    def _on_news_arrived(self, path: Path) -> None:
        if not path.exists():
            return
        self.refresh()
        if not self._extra:
            self.set_value(path)

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
        pixmap = picture_of(self.card, edge=THUMBNAIL)
        self.picture.setPixmap(pixmap)
        self.picture.setVisible(not pixmap.isNull())

    def _on_details_clicked(self) -> None:
        path = self.value()
        if self.card is not None and isinstance(path, Path):
            show_card(self.card, path=path, parent=self)


def summary_of(card: ModelCard) -> str:
    """Return what a person wants to know before choosing: for what, how large, how good."""
    parts = [card.description.rstrip(".") or card.name]
    facts = [f"{card.axes}, {len(card.channels)} channel" + ("s" if len(card.channels) > 1 else "")]
    if card.object_diameter:
        facts.append(f"objects of about {card.object_diameter:.0f} px")
    record = card.training
    if record and "ap0.50" in record.scores:
        facts.append(f"AP@0.5 {record.scores['ap0.50']:.2f} on {counted(record.validation_images, 'image')}")
    return "\n".join([*parts, " · ".join(facts)])
