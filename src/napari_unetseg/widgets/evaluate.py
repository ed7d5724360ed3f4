"""The Evaluate dock: compare labels with the truth, see every mistake, and export the numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari.viewer
from napari.layers import Labels, Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._ap_curve import ApCurve
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._evaluate_session import COLOURS, EvaluateSession, Result
from napari_unetseg.widgets._label_axes import AxesChoice
from napari_unetseg.widgets._layer_choice import LayerChoice
from napari_unetseg.widgets._mistake_table import MistakeTable
from napari_unetseg.widgets._segment_result import CLASSES
from napari_unetseg.widgets._session import session_of

EMPTY = "Evaluation needs two Labels layers of one image: the result to judge, and labels known to be true."
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


class EvaluateDock(Dock):
    """Shows the viewer's last evaluation; closed and opened again, it is still there."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.session = session_of(viewer, EvaluateSession)
        self._viewer = self.session.viewer
        self._build_choice()
        self._build_result()
        self.evaluate = QPushButton("Evaluate")
        self.evaluate.setToolTip("Compare the two layers (Ctrl+Enter); mistakes are shown in a layer of their own")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop after the frame that is being compared")
        self.add_buttons(self.evaluate, self.cancel)
        self._connect()
        self.reset_choices()
        self._on_session_changed()

    def reset_choices(self, _event: Any = None) -> None:
        """Follow the viewer's layers; of two layers, one named truth is taken for it."""
        is_first = self.truth.value() is None
        self.labels.reset_choices()
        self.truth.reset_choices()
        if is_first or self.truth.value() is self.labels.value():
            self._guess_truth()
        self._refresh()

    def _build_choice(self) -> None:
        self.labels = LayerChoice(self._viewer, Labels, accepts=_is_compared)
        self.add_row("Labels", self.labels, tooltip="The result to be judged")
        self.truth = LayerChoice(self._viewer, Labels, accepts=_is_compared)
        self.add_row("Truth", self.truth, tooltip="What is right; pixels of -1 in it count for nothing")
        self.axes = AxesChoice()
        self.axes_label = self.add_row("First axis", self.axes, tooltip=self.axes.toolTip())
        self.why = hint()
        self.column.addWidget(self.why)

    def _build_result(self) -> None:
        self.result = QWidget()
        column = QVBoxLayout(self.result)
        column.setContentsMargins(0, 0, 0, 0)
        self.title = hint()
        self.values = {name: QLabel() for name in SCORES}
        self.curve = ApCurve(self._viewer)
        self.counts = {name: QLabel() for name in COLOURS}
        self.table = MistakeTable(COLOURS)
        self.pixels = [[QLabel() for _ in range(2)] for _ in range(2)]
        self.save_table, self.save_scores = QPushButton("Save table (CSV)"), QPushButton("Save scores (JSON)")
        self.save_table.setToolTip("All objects of both layers: verdict, partner, IoU, place, size")
        self.save_scores.setToolTip("All scores, counts of mistakes and pixels, with the names of the layers")
        saves = QHBoxLayout()
        saves.addWidget(self.save_table)
        saves.addWidget(self.save_scores)
        column.addWidget(self.title)
        column.addLayout(self._scores_grid())
        column.addWidget(self.curve)
        column.addLayout(self._legend())
        column.addWidget(self.table)
        column.addLayout(self._pixels_grid())
        column.addLayout(saves)
        self.column.addWidget(self.result)

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

    def _connect(self) -> None:
        for choice in (self.labels, self.truth, self.axes):
            choice.changed.connect(self._refresh)
        self.evaluate.clicked.connect(self._on_evaluate)
        self.cancel.clicked.connect(self.session.job.cancel)
        self.table.chosen.connect(self.session.look_at)
        self.save_table.clicked.connect(lambda: self._save("CSV (*.csv)", ".csv", self.session.write_table))
        self.save_scores.clicked.connect(lambda: self._save("JSON (*.json)", ".json", self.session.write_scores))
        self.session.changed.connect(self._on_session_changed)
        job = self.session.job
        job.changed.connect(self._refresh)
        job.failed.connect(self.message.show_error)
        job.cancelled.connect(lambda: self.message.show_text("Cancelled; nothing was changed."))
        job.progressed.connect(lambda event: self.progress.show_fraction(event.done / event.total))

    def _guess_truth(self) -> None:
        others = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Labels) and _is_compared(layer)]
        named = [layer for layer in others if "truth" in layer.name.lower()]
        if named and self.labels.value() is named[0] and len(others) > 1:
            self.labels.set_value(next(layer for layer in others if layer is not named[0]))
        rest = [layer for layer in (*named, *others) if layer is not self.labels.value()]
        if rest:
            self.truth.set_value(rest[0])

    def _problem(self) -> str:
        labels, truth = self.labels.value(), self.truth.value()
        if labels is None or truth is None or self.labels.count() < 2:
            return EMPTY
        if labels is truth:
            return "Choose two different layers."
        classes = [layer.name for layer in (labels, truth) if _layers.role_of(layer) == CLASSES]
        if classes:
            return (
                f"'{classes[0]}' holds classes, and objects are compared here: save it, and score it with "
                "'napari-unetseg evaluate --semantic'."
            )
        beyond = [layer.name for layer in (labels, truth) if _layers.is_beyond_memory(layer)]
        if beyond:
            return f"'{beyond[0]}' is larger than memory and cannot be compared as a whole; compare a slice or a part."
        found, wanted = (_layers.data_of(layer).shape for layer in (labels, truth))
        if found != wanted:
            return f"Labels {_size(found)} and truth {_size(wanted)} differ in size; choose layers of one image."
        return "" if self.axes.value() else f"Labels with {len(wanted)} axes cannot be compared; give TZYX at most."

    def _refresh(self, _value: Any = None) -> None:
        self.axes.show_for(self.truth.value())
        self.axes_label.setVisible(self.axes.isVisibleTo(self))
        problem, is_running = self._problem(), self.session.job.is_running
        self.why.setText(problem)
        self.why.setVisible(bool(problem))
        self.evaluate.setEnabled(not problem and not is_running)
        self.cancel.setEnabled(is_running and not self.session.job.is_stopping)
        if is_running != self.progress.isVisibleTo(self):
            (self.progress.start if is_running else self.progress.stop)()

    def _on_evaluate(self) -> None:
        self.message.clear()
        if not self._problem():
            self.session.evaluate(self.labels.value(), self.truth.value(), axes=self.axes.value())

    def _on_session_changed(self) -> None:
        result = self.session.result
        self.result.setVisible(result is not None)
        if result is not None:
            self._show(result)

    def _show(self, result: Result) -> None:
        comparison = result.comparison
        scores, counts = comparison.scores, comparison.counts
        self.title.setText(
            f"{result.labels_name} against {result.truth_name}: "
            f"{counts['matched']:,} of {scores['objects_truth']:,} objects found"
        )
        shown = scores | {"ap_0.50": scores["ap"]["0.50"]}
        for name, label in self.values.items():
            label.setText("–" if shown[name] is None else f"{shown[name]:.3f}")
        self.curve.show_scores(scores["ap"])
        for name, label in self.counts.items():
            label.setText(f"{counts[name]:,} {name}")
        self.table.show_table(comparison.table)
        total = max(1, int(comparison.pixels.sum()))
        for labels, numbers in zip(self.pixels, comparison.pixels.tolist(), strict=True):
            for label, number in zip(labels, numbers, strict=True):
                label.setText(f"{100 * number / total:.1f} %")

    def _save(self, kind: str, suffix: str, write: Callable[[Path], None]) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, "Save", f"{self.session.result.labels_name}{suffix}", kind)
        if not chosen:
            return
        path = Path(chosen) if Path(chosen).suffix else Path(chosen).with_suffix(suffix)
        try:
            write(path)
        except UnetSegError as error:
            self.message.show_error(error)
        else:
            self.message.show_text(f"Saved {path}.")


def _is_compared(layer: Layer) -> bool:
    return not _layers.is_aid(layer)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape)
