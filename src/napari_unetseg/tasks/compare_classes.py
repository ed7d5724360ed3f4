"""Compare two maps of classes frame by frame."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_unetseg.labels.class_metrics import score_classes, summarize_classes
from napari_unetseg.schema.events import Event, TileDone
from napari_unetseg.tasks.compare import frames_of, names_of


@dataclass(frozen=True, slots=True)
class ClassComparison:
    """Scores as `class_metrics.summarize_classes` gives them."""

    scores: dict[str, Any]


def compare_classes(predicted: Any, truth: Any, *, has_time: bool) -> Generator[Event, None, ClassComparison]:
    """Compare classes with the truth, as a whole ([Z,] Y, X) or frame by frame (T, [Z,] Y, X); lazy arrays welcome."""
    frames = frames_of(predicted, truth, has_time=has_time)
    scores = []
    yield TileDone(0, len(frames))
    for done, frame in enumerate(frames, start=1):
        scores.append(score_classes(np.asarray(predicted[frame]), np.asarray(truth[frame])))
        yield TileDone(done, len(frames))
    return ClassComparison(summarize_classes(scores, names_of(frames)))
