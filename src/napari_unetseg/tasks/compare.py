"""Compare two label maps frame by frame: scores, a table of objects, and a map of mistakes."""

from __future__ import annotations

from collections.abc import Generator
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
    if predicted.shape != truth.shape:
        raise InputError(
            f"labels of shape {predicted.shape} and truth of shape {truth.shape} differ; choose maps of one image"
        )
    errors = np.zeros(truth.shape, np.uint8)
    frames: list[tuple[int, ...]] = [(t,) for t in range(truth.shape[0])] if has_time else [()]
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
    names = [f"frame {frame[0]}" for frame in frames] if has_time else None
    table = pd.concat(tables, ignore_index=True)
    pixels = sum((one.histogram for one in scores), np.zeros((2, 2), np.int64))
    return Comparison(metrics.summarize(scores, names), table, errors, mistakes.count_mistakes(table), pixels)
