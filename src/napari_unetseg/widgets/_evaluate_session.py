"""An evaluation that outlives its dock: compares two layers in a job; mistakes in objects become a layer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import Signal

from napari_unetseg.images.write import write_text
from napari_unetseg.labels.mistakes import MISTAKES
from napari_unetseg.tasks.class_scores import NamedScore, named_scores
from napari_unetseg.tasks.compare import Comparison, compare
from napari_unetseg.tasks.compare_classes import ClassComparison, compare_classes
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._look_at import look_at
from napari_unetseg.widgets._session import Session

ROLE = "mistakes"
# Okabe & Ito's colours, told apart by colour-blind people on dark and bright images.
COLOURS = {"missed": "#d55e00", "spurious": "#56b4e9", "merged": "#f0e442", "split": "#cc79a7"}
COPIED = 2**28  # bytes of labels in memory up to which a copy is compared, which painting cannot change meanwhile


@dataclass(frozen=True, slots=True)
class Result:
    """What was compared, and what came out."""

    labels: Labels
    truth: Labels
    axes: str
    labels_name: str
    truth_name: str
    comparison: Comparison | ClassComparison

    def named_scores(self) -> list[NamedScore]:
        """Return the scores of classes in words; their names are those of the model that found them."""
        return named_scores(self.comparison.scores, names=_layers.class_names(self.labels))


class EvaluateSession(Session):
    """`changed` is emitted when there is a new result, or none any more."""

    changed = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.result: Result | None = None
        self.job.succeeded.connect(self._on_job_succeeded)

    def evaluate(self, labels: Labels, truth: Labels, *, axes: str, is_semantic: bool = False) -> None:
        """Compare two layers of one shape with these axes, which hold objects, or classes (`is_semantic`)."""
        found, wanted = (_still(_layers.data_of(layer)) for layer in (labels, truth))
        names = labels.name, truth.name
        compared = compare_classes if is_semantic else compare

        def task() -> Any:
            comparison = yield from compared(found, wanted, has_time="T" in axes)
            return Result(labels, truth, axes, *names, comparison)

        self.job.start(task)

    def look_at(self, row: dict[Any, Any]) -> None:
        """Show the object of a row of the table."""
        if self.result is None:
            return
        layer = self.result.truth if row["map"] == "truth" else self.result.labels
        if layer not in self.viewer.layers:
            return
        letters = self.result.axes.lower()
        centre = [row["t"] if letter == "t" else row[f"centroid_{letter}_px"] for letter in letters]
        box = [
            slice(int(row["t"]), int(row["t"]) + 1)
            if letter == "t"
            else slice(int(row[f"bbox_{letter}_min_px"]), int(row[f"bbox_{letter}_max_px"]))
            for letter in letters
        ]
        look_at(self.viewer, layer, centre=centre, box=box)

    def write_table(self, path: Path) -> None:
        """Write one row per object of either map as CSV; of classes one per score."""
        comparison = self.result.comparison
        if isinstance(comparison, ClassComparison):
            table = pd.DataFrame([asdict(score) for score in self.result.named_scores()])
        else:
            table = comparison.table
        write_text(path, table.to_csv(index=False, lineterminator="\n"))

    def write_scores(self, path: Path) -> None:
        """Write all scores and counts as JSON."""
        comparison = self.result.comparison
        content = {"labels": self.result.labels_name, "truth": self.result.truth_name, **comparison.scores}
        if isinstance(comparison, Comparison):
            content |= {"mistakes": comparison.counts, "pixels": comparison.pixels.tolist()}
        write_text(path, json.dumps(content, indent=2) + "\n")

    def _on_job_succeeded(self, result: Result) -> None:
        self.result = result
        if self.viewer is not None and isinstance(result.comparison, Comparison):
            self._show_mistakes(result, result.comparison)
        self.changed.emit()

    def _show_mistakes(self, result: Result, comparison: Comparison) -> None:
        viewer, errors = self.viewer, comparison.errors
        layer = _layers.find_result(viewer, role=ROLE, source=result.labels_name)
        if layer is not None and layer.data.shape != errors.shape:
            layer = None
        if layer is not None:
            _layers.replace_labels(layer, errors)
        else:
            active = viewer.layers.selection.active
            layer = _layers.add_labels(
                viewer,
                errors,
                name=f"{result.labels_name} mistakes",
                place=_layers.placement(
                    result.truth if result.truth in viewer.layers else result.labels, axes=result.axes
                ),
                facts={"role": ROLE, "source": result.labels_name, "truth": result.truth_name},
            )
            viewer.layers.selection.active = active
        colours = {number: COLOURS[name] for number, name in enumerate(MISTAKES, start=1)}
        layer.colormap = DirectLabelColormap(color_dict={None: "transparent", 0: "transparent", **colours})
        counts = [comparison.counts[name] for name in MISTAKES]
        layer.features = pd.DataFrame({"index": range(1, 5), "mistake": MISTAKES, "objects": counts})


def _still(data: Any) -> Any:
    """Return labels that painting does not change while they are compared, where a copy is affordable."""
    return data.copy() if isinstance(data, np.ndarray) and data.nbytes <= COPIED else data
