"""Score maps of classes against the truth: IoU of each class, wrong pixels, and the cells that two classes make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.classes import MOST_GUESSED, as_classes
from napari_unetseg.labels.confusion import confusion_scores
from napari_unetseg.labels.ids import IGNORE
from napari_unetseg.labels.regions import region_errors, regions_of
from napari_unetseg.labels.warping import warping_errors
from napari_unetseg.schema.config import MAX_CLASSES
from napari_unetseg.schema.errors import InputError

REGIONS = ("rand_error", "voi_split", "voi_merged")
WARPING = ("warping_error", "split_merge_error", "splits", "mergers")


@dataclass(frozen=True, slots=True)
class ClassScores:
    """What one image contributes: pixels as `[truth, predicted]`, and errors of regions if there are two classes."""

    histogram: NDArray[np.int64]
    regions: dict[str, float]


def score_classes(
    predicted: NDArray[Any], truth: NDArray[Any], *, count: int | None = None, has_warping: bool = True
) -> ClassScores:
    """Compare a map of classes ([Z,] Y, X) with its truth; pixels where the truth is -1 count for nothing.

    `count` is the number of classes; none: as many as the two hold. Without `has_warping` the errors that are left when
    the truth is warped are not measured, which takes as long as all the rest.
    """
    if predicted.shape != truth.shape:
        raise InputError(
            f"prediction has shape {predicted.shape}, truth has shape {truth.shape}; compare images of the same size"
        )
    most = MAX_CLASSES if count is None else count
    found, wanted = (as_classes(one, count=most) for one in (predicted, truth))
    if (found == IGNORE).any():
        raise InputError("a prediction cannot hold -1 (ignore), only the truth can; set those pixels to 0")
    count = count or max(2, 1 + int(max(found.max(initial=0), wanted.max(initial=0))))
    is_known = wanted != IGNORE
    pairs = wanted[is_known].astype(np.int64) * count + found[is_known]
    histogram = np.bincount(pairs, minlength=count**2).reshape(count, count)
    _check_known(histogram, found=int(found.max(initial=0)))
    regions = region_errors(regions_of(found == 0), regions_of(wanted == 0)) if count == 2 else {}
    if count == 2 and has_warping:
        regions |= warping_errors(found == 0, wanted == 0, known=is_known)
    return ClassScores(histogram, regions)


def _check_known(histogram: NDArray[np.int64], *, found: int) -> None:
    """Refuse true objects in the place of classes: more numbers than anybody guesses lie beyond the highest predicted.

    As when learning classes without their number (`classes.as_classes`), but true classes may well be missed.
    """
    beyond = np.flatnonzero(histogram.sum(axis=1)[found + 1 :])
    if len(beyond) > MOST_GUESSED:
        raise InputError(
            f"the truth holds ids up to {found + 1 + beyond[-1]}, as a map of objects does, and the prediction classes "
            f"up to {found}; give a truth that numbers the classes 1, 2, ..., or compare objects with objects "
            "(--objects, in the dock 'Labels are: objects')"
        )


def summarize_classes(scores: Sequence[ClassScores], names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the scores of a data set, ready for JSON: pixels pooled over images, errors of regions as their means.

    `foreground_iou` is the mean IoU of the classes but for the background, `pixel_error` the share of wrong pixels.
    What is not defined is None; `foreground_iou` is 1 where there is nothing to find and nothing was invented.
    """
    names = names if names is not None else [f"image {number}" for number in range(1, len(scores) + 1)]
    count = max((len(image.histogram) for image in scores), default=2)
    histogram = np.zeros((count, count), np.int64)
    for image in scores:
        histogram[: len(image.histogram), : len(image.histogram)] += image.histogram
    regions = {
        key: [image.regions[key] for image in scores if count == 2 and key in image.regions]
        for key in (*REGIONS, *WARPING)
    }
    return {
        "images": len(scores),
        "classes": count,
        **_scores(histogram),
        **{key: float(np.mean(values)) if values else None for key, values in regions.items()},
        "per_image": [
            {"name": name, **_scores(image.histogram), **image.regions}
            for image, name in zip(scores, names, strict=True)
        ],
    }


def _scores(histogram: NDArray[np.int64]) -> dict[str, Any]:
    found = confusion_scores(histogram)
    known = [value for value in found["iou"][1:] if value is not None]
    accuracy = found["pixel_accuracy"]
    return {
        "pixel_error": None if accuracy is None else 1 - accuracy,
        "foreground_iou": sum(known) / len(known) if known else 1.0,
        **found,
    }
