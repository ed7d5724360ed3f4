"""Compare two label maps frame by frame: scores, a table of objects, and a map of mistakes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.labels import metrics, mistakes
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, TileDone


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores as `metrics.summarize` gives them, one row per object of either map, and errors 0 to 4 per pixel.

    `pixels` counts them by whether they lie in an object of the truth (row) and of the labels (column).
    """

    scores: dict[str, Any]
    table: pd.DataFrame
    errors: np.ndarray
    counts: dict[str, int]
    pixels: np.ndarray


def compare(predicted: Any, truth: Any, *, has_time: bool) -> Generator[Event, None, Comparison]:
    """Compare labels with the truth, as a whole ([Z,] Y, X) or frame by frame (T, [Z,] Y, X); lazy arrays welcome."""
    frames = frames_of(predicted, truth, has_time=has_time)
    errors = np.zeros(truth.shape, np.uint8)
    scores, tables = [], []
    yield TileDone(0, len(frames))
    for done, frame in enumerate(frames, start=1):
        found, wanted = np.asarray(predicted[frame]), np.asarray(truth[frame])
        pairs = metrics.overlaps_with_truth(found, wanted)
        verdicts = mistakes.judge(pairs)
        scores.append(metrics.score_pairs(pairs))
        yield TileDone(done - 1, len(frames))
        errors[frame] = mistakes.error_map(found, wanted, pairs=pairs, verdicts=verdicts)
        table = mistakes.object_table(found, wanted, pairs=pairs, verdicts=verdicts)
        if frame:
            table.insert(0, "t", frame[0])
        tables.append(table)
        yield TileDone(done, len(frames))
    table = pd.concat(tables, ignore_index=True)
    pixels = sum((one.histogram for one in scores), np.zeros((2, 2), np.int64))
    summary = metrics.summarize(scores, names_of(frames))
    return Comparison(summary, table, errors, mistakes.count_mistakes(table), pixels)


def frames_of(predicted: Any, truth: Any, *, has_time: bool) -> list[tuple[int, ...]]:
    """Return the index of each frame of two maps, which must be alike in size: time points, or one of everything."""
    if predicted.shape != truth.shape:
        raise InputError(
            f"labels of shape {predicted.shape} and truth of shape {truth.shape} differ; choose maps of one image"
        )
    return [(t,) for t in range(truth.shape[0])] if has_time else [()]


def names_of(frames: Sequence[tuple[int, ...]]) -> list[str] | None:
    """Return what frames are called; none where they are no time points."""
    return [f"frame {index}" for (index,) in frames] if any(frames) else None
