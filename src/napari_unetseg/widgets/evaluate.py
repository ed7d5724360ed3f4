"""The Evaluate dock: compare objects or classes with the truth, and export the numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari.viewer
from napari.layers import Labels, Layer
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.tasks.compare_classes import ClassComparison
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._evaluate_classes import ClassScores
from napari_unetseg.widgets._evaluate_objects import ObjectScores
from napari_unetseg.widgets._evaluate_session import EvaluateSession, Result
from napari_unetseg.widgets._label_axes import AxesChoice
from napari_unetseg.widgets._layer_choice import LayerChoice
from napari_unetseg.widgets._meaning import CLASSES, OBJECTS, ROW, MeaningChoice
from napari_unetseg.widgets._segment_result import ROLE
from napari_unetseg.widgets._session import session_of

EMPTY = "Evaluation needs two Labels layers of one image: the result to judge, and labels known to be true."
MEANING_TIP = (
    "Objects: every cell has its own number, and cells are compared. Classes: a number stands for a kind of pixel "
    "(1 membrane, 2 vesicle, ...), and pixels are compared"
)
OBJECT_TABLE_TIP = "All objects of both layers: verdict, partner, IoU, place, size"
CLASS_TABLE_TIP = "The scores as they stand above, with what each means"


class EvaluateDock(Dock):
    """Shows the viewer's last evaluation; closed and opened again, it is still there."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.session = session_of(viewer, EvaluateSession)
        self._viewer = self.session.viewer
        self._build_choice()
        self._build_result()
        self.evaluate = QPushButton("Evaluate")
        self.evaluate.setToolTip("Compare the two layers (Ctrl+Enter); wrong objects are shown in a layer of their own")
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
        self.meaning = MeaningChoice()
        self.add_row(ROW, self.meaning, tooltip=MEANING_TIP)
        self.why = hint()
        self.column.addWidget(self.why)

    def _build_result(self) -> None:
        self.result = QWidget()
        column = QVBoxLayout(self.result)
        column.setContentsMargins(0, 0, 0, 0)
        self.title = hint()
        self.objects, self.classes = ObjectScores(self._viewer), ClassScores()
        self.save_table, self.save_scores = QPushButton("Save table (CSV)"), QPushButton("Save scores (JSON)")
        self.save_scores.setToolTip("All that was counted, with the names of the layers")
        saves = QHBoxLayout()
        saves.addWidget(self.save_table)
        saves.addWidget(self.save_scores)
        column.addWidget(self.title)
        column.addWidget(self.objects)
        column.addWidget(self.classes)
        column.addLayout(saves)
        self.column.addWidget(self.result)

    def _connect(self) -> None:
        for choice in (self.labels, self.truth):
            choice.changed.connect(self._suit_meaning)
        for part in (self.labels, self.truth, self.axes, self.meaning):
            part.changed.connect(self._refresh)
        self.evaluate.clicked.connect(self._on_evaluate)
        self.cancel.clicked.connect(self.session.job.cancel)
        self.objects.table.chosen.connect(self.session.look_at)
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
        others = [layer for layer in (labels, truth) if _meant(layer) not in {"", self.meaning.currentText()}]
        if others:
            name, what = others[0].name, _meant(others[0])
            return f"'{name}' holds {what}: choose '{ROW}: {what}', or another layer."
        beyond = [layer.name for layer in (labels, truth) if _layers.is_beyond_memory(layer)]
        if beyond:
            return f"'{beyond[0]}' is larger than memory and cannot be compared as a whole; compare a slice or a part."
        found, wanted = (_layers.data_of(layer).shape for layer in (labels, truth))
        if found != wanted:
            return f"Labels {_size(found)} and truth {_size(wanted)} differ in size; choose layers of one image."
        return "" if self.axes.value() else f"Labels with {len(wanted)} axes cannot be compared; give TZYX at most."

    def _suit_meaning(self, _layer: Any = None) -> None:
        """Follow layers that are known to hold objects, or classes; with others what is chosen stays."""
        layers = [layer for layer in (self.labels.value(), self.truth.value()) if layer is not None]
        known = {_meant(layer) for layer in layers} - {""}
        if len(known) == 1:
            self.meaning.setCurrentText(known.pop())

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
            layers = self.labels.value(), self.truth.value()
            self.session.evaluate(*layers, axes=self.axes.value(), is_semantic=self.meaning.is_semantic)

    def _on_session_changed(self) -> None:
        result = self.session.result
        self.result.setVisible(result is not None)
        if result is not None:
            self._show(result)

    def _show(self, result: Result) -> None:
        comparison = result.comparison
        is_semantic = isinstance(comparison, ClassComparison)
        self.objects.setVisible(not is_semantic)
        self.classes.setVisible(is_semantic)
        self.save_table.setToolTip(CLASS_TABLE_TIP if is_semantic else OBJECT_TABLE_TIP)
        if isinstance(comparison, ClassComparison):
            self.classes.show_scores(result.named_scores())
            found = _pixels_right(comparison)
        else:
            self.objects.show_comparison(comparison)
            found = f"{comparison.counts['matched']:,} of {comparison.scores['objects_truth']:,} objects found"
        self.title.setText(f"{result.labels_name} against {result.truth_name}: {found}")

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


def _meant(layer: Layer) -> str:
    """Return what one of our results is known to hold, as `MeaningChoice` says it; nothing for other labels."""
    if _layers.class_names(layer):
        return CLASSES
    return OBJECTS if _layers.role_of(layer) == ROLE else ""


def _pixels_right(comparison: ClassComparison) -> str:
    accuracy = comparison.scores["pixel_accuracy"]
    return "nothing in the truth is annotated" if accuracy is None else f"{100 * accuracy:.1f} % of the pixels right"


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape)
