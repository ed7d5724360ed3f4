"""What the Train dock looks like: its fields and buttons, connected to nothing yet."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from napari_unetseg.models import library
from napari_unetseg.widgets._curves import Curves
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._models import ModelChooser
from napari_unetseg.widgets._pairs import PairList
from napari_unetseg.widgets._train_layers import LayerPair
from napari_unetseg.widgets._train_meaning import Meaning
from napari_unetseg.widgets._train_options import TrainOptions

SCRATCH = "from scratch"
NOT_ANNOTATED, BACKGROUND = "not annotated", "background"


class TrainForm(Dock):
    """Builds the column and the footer; `rows` are the pairs to show."""

    def __init__(self, viewer: Any, rows: list[LayerPair]) -> None:
        super().__init__(viewer)
        self._build(rows)

    def _build(self, rows: list[LayerPair]) -> None:
        self.pairs = PairList(self.viewer, rows)
        self.column.addWidget(self.pairs)
        self.meaning = Meaning(self)
        self.zero = QComboBox()
        self.zero.addItems([NOT_ANNOTATED, BACKGROUND])
        self.add_row(
            "0 means", self.zero, tooltip="What unpainted pixels are: not looked at yet, or surely background (label 0)"
        )
        self.start = ModelChooser(extra=(SCRATCH,))
        bundled = next(iter(library.bundled().values()), None)
        if bundled is not None:
            self.start.set_value(bundled)
        self.add_row("Start from", self.start, tooltip="A model that knows cells learns yours from far fewer examples")
        self.minutes = QDoubleSpinBox()
        self.minutes.setRange(0.1, 10_000)
        self.minutes.setDecimals(1)
        self.minutes.setSuffix(" min")
        self.minutes.setValue(5)
        self.add_row("Time", self.minutes, tooltip="Training ends by itself after so long; pauses do not count")
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the new model")
        self.add_row("Save as", self.name, tooltip="Name of the new model in your library")
        self.resume = QCheckBox("Go on with the run that was cut short")
        self.resume.setToolTip("Train on from where the window was closed, with the same layers and settings")
        self.resume.setChecked(True)
        self.column.addWidget(self.resume)
        self.options = TrainOptions(self)
        self.preview_weights = QPushButton("Preview weights")
        self.preview_weights.setToolTip(
            "Show how much each pixel counts: most of all the gaps between cells (w0, sigma)"
        )
        self.preview_augmentation = QPushButton("Preview augmentation")
        self.preview_augmentation.setToolTip(
            "Show the patches as the network will see them, bent, turned and brightened"
        )
        self.column.addLayout(_row(self.preview_weights, self.preview_augmentation))
        self._build_footer()
        self._build_live()
        self._build_after()

    def _build_live(self) -> None:
        """Put what one watches below the buttons, where it stays in sight."""
        self.curves = Curves(self.viewer)
        self._add_before_message(self.curves)
        self.live_preview = QCheckBox("Live preview every")
        self.live_preview.setToolTip("Outline in the viewer what the network finds in the visible field")
        self.every = QDoubleSpinBox()
        self.every.setRange(1, 600)
        self.every.setDecimals(0)
        self.every.setSuffix(" s")
        self.live_labels = QCheckBox("Use what I paint meanwhile")
        self.live_labels.setToolTip("What you paint or erase during training is learnt from at once")
        preview = QWidget()
        preview.setLayout(_row(self.live_preview, self.every))
        self._add_before_message(preview)
        self._add_before_message(self.live_labels)

    def _build_footer(self) -> None:
        self.hint = hint()
        self.footer.insertWidget(0, self.hint)
        self.train = QPushButton("Train")
        self.train.setToolTip("Train on the chosen pairs and save the best model (Ctrl+Enter)")
        self.pause = QPushButton("Pause")
        self.pause.setToolTip("Hold the training; its minutes do not run on")
        self.stop = QPushButton("Stop, keep best")
        self.stop.setToolTip("End now and keep the best model so far")
        self.add_buttons(self.train, self.pause, self.stop)

    def _build_after(self) -> None:
        self.segment = QPushButton("Segment with it →")
        self.segment.setToolTip("Open the Segment dock with the new model")
        self.card = QPushButton("Card…")
        self.card.setToolTip("Everything the new model says about itself")
        self.after = QWidget()
        self.after.setLayout(_row(self.segment, self.card))
        self._add_before_message(self.after)

    def _add_before_message(self, widget: QWidget) -> None:
        self.footer.insertWidget(self.footer.indexOf(self.message), widget)


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        if isinstance(widget, QPushButton):
            widget.setMinimumWidth(1)  # a narrow dock cuts the words rather than the buttons beside
            widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        row.addWidget(widget, 1, Qt.AlignmentFlag.AlignVCenter)
    return row
