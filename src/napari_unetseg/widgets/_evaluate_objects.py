"""What an evaluation of objects shows: scores, AP over thresholds, the mistakes by kind and one by one, and pixels."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from napari_unetseg.tasks.compare import Comparison
from napari_unetseg.widgets._ap_curve import ApCurve
from napari_unetseg.widgets._dock import hint
from napari_unetseg.widgets._evaluate_session import COLOURS
from napari_unetseg.widgets._mistake_table import MistakeTable

SCORES = {
    "ap_0.50": ("AP at 0.5", "Average precision at IoU 0.5: found / (found + missed + spurious)"),
    "f1": ("F1", "Share of objects found, and of found ones that are real, at IoU 0.5 (harmonic mean)"),
    "mean_ap": ("mean AP", "Mean of the average precision over IoU 0.5 to 0.9"),
    "pq": ("PQ", "Panoptic quality: F1 times the mean IoU of the objects found"),
    "seg": ("SEG", "Mean IoU of the true objects with what covers more than half of them; 0 for the others"),
    "dice": ("Dice", "Overlap of the foreground, pixel by pixel, whatever the objects"),
    "pixel_accuracy": ("pixels right", "Share of pixels that are foreground or background in both"),
}
MEANINGS = {
    "missed": "True objects that nothing was found for",
    "spurious": "Objects found where there is none",
    "merged": "True objects that lie together in one found object",
    "split": "True objects that were found in several pieces; one of them may match",
}
PIXELS = "Pixels by what they are in the truth (rows) and in the labels (columns)"


class ObjectScores(QWidget):
    """`table.chosen` carries the row of the object that was double clicked."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.values = {name: QLabel() for name in SCORES}
        self.curve = ApCurve(viewer)
        self.counts = {name: QLabel() for name in COLOURS}
        self.table = MistakeTable(COLOURS)
        self.pixels = [[QLabel() for _ in range(2)] for _ in range(2)]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._scores_grid())
        column.addWidget(self.curve)
        column.addLayout(self._legend())
        column.addWidget(self.table)
        column.addLayout(self._pixels_grid())

    def show_comparison(self, comparison: Comparison) -> None:
        """Show all that came out."""
        shown = comparison.scores | {"ap_0.50": comparison.scores["ap"]["0.50"]}
        for name, label in self.values.items():
            label.setText("–" if shown[name] is None else f"{shown[name]:.3f}")
        self.curve.show_scores(comparison.scores["ap"])
        for name, label in self.counts.items():
            label.setText(f"{comparison.counts[name]:,} {name}")
        self.table.show_table(comparison.table)
        total = max(1, int(comparison.pixels.sum()))
        for labels, numbers in zip(self.pixels, comparison.pixels.tolist(), strict=True):
            for label, number in zip(labels, numbers, strict=True):
                label.setText(f"{100 * number / total:.1f} %")

    def _scores_grid(self) -> QGridLayout:
        grid = QGridLayout()
        for index, (name, (title, meaning)) in enumerate(SCORES.items()):
            label, value = QLabel(title), self.values[name]
            for part in (label, value):
                part.setToolTip(meaning)
            value.setStyleSheet("font-weight: bold;")
            grid.addWidget(label, index // 2, 2 * (index % 2))
            grid.addWidget(value, index // 2, 2 * (index % 2) + 1)
        return grid

    def _legend(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        for index, (name, colour) in enumerate(COLOURS.items()):
            swatch = QLabel()
            swatch.setFixedSize(14, 14)
            swatch.setStyleSheet(f"background-color: {colour}; border-radius: 2px;")
            for part in (swatch, self.counts[name]):
                part.setToolTip(MEANINGS[name])
            grid.addWidget(swatch, index // 2, 2 * (index % 2))
            grid.addWidget(self.counts[name], index // 2, 2 * (index % 2) + 1)
        return grid

    def _pixels_grid(self) -> QGridLayout:
        grid = QGridLayout()
        texts = {(0, 0): "pixels", (0, 1): "labels: none", (0, 2): "object", (1, 0): "truth: none", (2, 0): "object"}
        for place, text in texts.items():
            grid.addWidget(hint(text), *place)
        for row, values in enumerate(self.pixels):
            for column, value in enumerate(values):
                value.setToolTip(PIXELS)
                value.setAlignment(Qt.AlignmentFlag.AlignLeft)
                grid.addWidget(value, row + 1, column + 1)
        return grid
