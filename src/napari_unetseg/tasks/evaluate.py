"""Compare label maps with the truth: arrays, files, or paired folders."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images import layouts
from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.masks import LabelReader, mask_files
from napari_unetseg.images.notes import GroupedNotes
from napari_unetseg.images.read import open_image
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.labels import metrics
from napari_unetseg.labels.class_metrics import score_classes, summarize_classes
from napari_unetseg.labels.plausible import check_plausible
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.events import Event, ItemDone, Note


def evaluate(predicted: np.ndarray, truth: np.ndarray, *, is_semantic: bool = False) -> dict[str, Any]:
    """Score one label map ([Z,] Y, X) against its truth; see `labels.metrics` for what each key means.

    Labels are objects, or classes (`is_semantic`; keys as in `labels.class_metrics`).
    """
    score, summarize = _measures(is_semantic=is_semantic)
    return summarize([score(np.asarray(predicted), np.asarray(truth))])


def evaluate_series(predicted: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Score label maps (T, [Z,] Y, X) frame by frame and pool the counts: ids need not agree from frame to frame."""
    if predicted.shape != truth.shape:
        raise InputError(
            f"labels of shape {predicted.shape} and truth of shape {truth.shape} differ; give the same frames"
        )
    scores = [metrics.score(one, other) for one, other in zip(predicted, truth, strict=True)]
    return metrics.summarize(scores, [f"frame {index}" for index in range(len(scores))])


def evaluate_files(
    predicted: Path, truth: Path, *, axes: str | None = None, is_semantic: bool = False
) -> Generator[Event, None, dict[str, Any]]:
    """Score paired files; counts are pooled over all of them, and each time point is an image of its own.

    `axes` are those of all files; none: as the files say, else guessed, and told. A pair that cannot be read or
    compared is reported and left out. Labels are objects, or classes (`is_semantic`).
    """
    pairs = layouts.pair_labels(truth, predicted)
    readers = {truth: LabelReader(), predicted: LabelReader()}
    for folder, paths in zip((truth, predicted), zip(*pairs, strict=True), strict=True):
        if layout := layouts.describe_masks(paths):
            yield Note(f"{folder}: {layout}")
    notes = GroupedNotes()
    score, summarize = _measures(is_semantic=is_semantic)
    scores, names = [], []
    for number, (truth_path, predicted_path) in enumerate(pairs, start=1):
        error = None
        try:
            found = readers[predicted].read(predicted_path, axes=axes)
            wanted = readers[truth].read(truth_path, axes=axes)
            check_plausible(found, name=str(predicted_path))
            check_plausible(wanted, name=str(truth_path))
            letters = _axes(truth_path, predicted_path, ndim=wanted.ndim, axes=axes, notes=notes)
            if not is_semantic and "Z" in letters and _lies_in_single_planes(found):
                yield Note(
                    f"{predicted_path.name}: no object spans two planes; segment with --link to score objects in 3D"
                )
            for name, one, other in _frames(truth_path.name, found, wanted, has_time="T" in letters):
                scores.append(score(one, other))
                names.append(name)
        except UnetSegError as problem:
            error = str(problem)
        yield ItemDone(truth_path.name, number, len(pairs), error=error)
    for text in notes.sentences():
        yield Note(text)
    for folder, reader in readers.items():
        if summary := reader.summary():
            yield Note(f"{folder}: {summary}")
    return summarize(scores, names)


def _measures(*, is_semantic: bool) -> tuple[Callable[..., Any], Callable[..., dict[str, Any]]]:
    """Return what scores one image, and what makes one table of the scores of all."""
    return (score_classes, summarize_classes) if is_semantic else (metrics.score, metrics.summarize)


def _axes(*paths: Path, ndim: int, axes: str | None, notes: GroupedNotes) -> str:
    """Return the axes of the first file that declares them for all dimensions of the labels; else the first guess."""
    if ndim == 2:
        return "YX"
    files = [mask_files(path)[0] if path.is_dir() and not is_zarr(path) else path for path in paths]
    sources = [open_image(path, axes=axes) for path in files]
    certain = [one for one in sources if not one.axes.is_guess and len(label_axes(one.axes.letters)) == ndim]
    chosen = (certain or sources)[0]
    notes.add(chosen)
    return label_axes(chosen.axes.letters)


def _frames(
    name: str, found: np.ndarray, wanted: np.ndarray, *, has_time: bool
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    if not has_time or found.shape != wanted.shape:
        yield name, found, wanted
        return
    for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
        yield f"{name} t{index}", one, other


def _lies_in_single_planes(labels: np.ndarray) -> bool:
    """Tell whether there are objects in (..., Z, Y, X), Z more than one, and none spans two neighbouring planes."""
    before, after = labels[..., :-1, :, :], labels[..., 1:, :, :]
    if not before.shape[-3] or not labels.any():
        return False
    return not bool(((before == after) & (before > 0)).any())
