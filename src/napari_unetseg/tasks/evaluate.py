"""Compare label maps with the truth: arrays, files, or paired folders."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images import layouts
from napari_unetseg.images.read import read_labels
from napari_unetseg.labels import metrics
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.events import Event, ItemDone


def evaluate(predicted: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Score one label map against its truth; see `labels.metrics` for what each key means."""
    return metrics.summarize([metrics.score(np.asarray(predicted), np.asarray(truth))])


def evaluate_files(predicted: Path, truth: Path) -> Generator[Event, None, dict[str, Any]]:
    """Score paired files; counts are pooled over all of them. A pair that cannot be read is reported and left out."""
    pairs = layouts.pair_files(truth, predicted)
    scores, names = [], []
    for number, (truth_path, predicted_path) in enumerate(pairs, start=1):
        error = None
        try:
            score = metrics.score(read_labels(predicted_path), read_labels(truth_path))
        except UnetSegError as problem:
            error = str(problem)
        else:
            scores.append(score)
            names.append(truth_path.name)
        yield ItemDone(truth_path.name, number, len(pairs), error=error)
    return metrics.summarize(scores, names)
