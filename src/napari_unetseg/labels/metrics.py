"""Score label maps against the truth: matched objects (AP, F1, PQ, SEG) and pixels (IoU, Dice, accuracy)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.labels.confusion import confusion_scores, dice
from napari_unetseg.labels.ids import IGNORE, check_ids, compact
from napari_unetseg.labels.overlap import Overlaps, count_overlaps
from napari_unetseg.schema.errors import InputError

THRESHOLDS = (50, 55, 60, 65, 70, 75, 80, 85, 90)
"""IoU (%) from which two objects are taken for the same one."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many objects were found, invented and missed at one IoU threshold; adds up over images."""

    true_positive: int = 0
    false_positive: int = 0
    false_negative: int = 0
    iou_sum: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.true_positive + other.true_positive,
            self.false_positive + other.false_positive,
            self.false_negative + other.false_negative,
            self.iou_sum + other.iou_sum,
        )

    @property
    def ap(self) -> float:
        """Average precision TP / (TP + FP + FN) as in the Data Science Bowl 2018; 1 where there is nothing to find."""
        return _share(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 where there is nothing to find."""
        return _share(self.true_positive, self.true_positive + (self.false_positive + self.false_negative) / 2)

    @property
    def pq(self) -> float:
        """Panoptic quality: F1 times the mean IoU of the matches (Kirillov et al. 2019, eq. 1)."""
        return _share(self.iou_sum, self.true_positive + (self.false_positive + self.false_negative) / 2)


@dataclass(frozen=True, slots=True)
class ImageScores:
    """What one image contributes: object counts per threshold, the sum of SEG, pixels as `[truth, predicted]`."""

    counts: tuple[Counts, ...]
    seg_sum: float
    histogram: NDArray[np.int64]
    objects_predicted: int
    objects_truth: int

    @property
    def mean_ap(self) -> float:
        """Mean of the average precision over all thresholds."""
        return sum(counts.ap for counts in self.counts) / len(self.counts)

    @property
    def seg(self) -> float | None:
        """SEG of the Cell Tracking Challenge, none without true objects."""
        return self.seg_sum / self.objects_truth if self.objects_truth else None


def score(predicted: NDArray[Any], truth: NDArray[Any]) -> ImageScores:
    """Compare one label map with its truth; pixels where the truth is -1 count for nothing.

    Predicted objects that lie there with more than half of their pixels count for nothing either.
    """
    return score_pairs(overlaps_with_truth(predicted, truth))


def score_pairs(pairs: Overlaps) -> ImageScores:
    """Score what `overlaps_with_truth` has found."""
    # An object all of whose pixels are ignored has no area left, and is none.
    objects_truth = int(np.count_nonzero(pairs.first_area[1:]))
    objects_predicted = int(np.count_nonzero(pairs.second_area[1:]))
    matched = matched_pairs(pairs)
    shared, union, iou = pairs.shared[matched], pairs.union[matched], pairs.iou[matched]
    counts = []
    for percent in THRESHOLDS:
        same = 100 * shared >= percent * union
        found = int(same.sum())
        counts.append(Counts(found, objects_predicted - found, objects_truth - found, float(iou[same].sum())))
    covers_half = 2 * pairs.shared > pairs.first_area[pairs.first]
    seg_sum = float(pairs.iou[covers_half].sum())
    return ImageScores(tuple(counts), seg_sum, pairs.foreground, objects_predicted, objects_truth)


def overlaps_with_truth(predicted: NDArray[Any], truth: NDArray[Any]) -> Overlaps:
    """Return which true objects (first) share pixels with which predicted ones (second)."""
    if predicted.shape != truth.shape:
        raise InputError(
            f"prediction has shape {predicted.shape}, truth has shape {truth.shape}; compare images of the same size"
        )
    if check_ids(predicted)[0] < 0:
        raise InputError("a prediction cannot hold -1 (ignore), only the truth can; set those pixels to 0")
    return count_overlaps(truth, _without_unknown(predicted, truth))


def _without_unknown(predicted: NDArray[Any], truth: NDArray[Any]) -> NDArray[Any]:
    """Remove predicted objects that lie mostly where the truth is -1: whether they are right nobody knows."""
    is_unknown = truth == IGNORE
    if not is_unknown.any():
        return predicted
    objects, ids = compact(predicted)
    area = np.bincount(objects.ravel(), minlength=len(ids))
    unknown = np.bincount(objects[is_unknown], minlength=len(ids))
    is_kept = 2 * unknown <= area
    is_kept[0] = True
    return np.where(is_kept[objects], predicted, 0)


def matched_pairs(pairs: Overlaps) -> NDArray[np.intp]:
    """Return the pairs with an IoU of 0.5 or more, each object in one of them at most.

    Above 0.5 no two pairs share an object. At exactly 0.5 an object can be the union of two halves, which are in no
    other pair; either half is as good, and the one with the lower id is taken. So there is nothing to optimise.
    """
    matched = np.flatnonzero(2 * pairs.shared >= pairs.union)
    for side in (pairs.first, pairs.second):
        matched = matched[np.unique(side[matched], return_index=True)[1]]
    return matched


def summarize(scores: Sequence[ImageScores], names: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the scores of a data set, ready for JSON: counts pooled over images, and means over images beside them.

    A score that is not defined (no image, or SEG without true objects) is None. Where neither prediction nor truth
    has an object, AP, F1, PQ and Dice are 1: nothing to find, and nothing invented.
    """
    names = names if names is not None else [f"image {number}" for number in range(1, len(scores) + 1)]
    pooled = [sum(counts, Counts()) for counts in zip(*(image.counts for image in scores), strict=True)]
    histogram = sum((image.histogram for image in scores), np.zeros((2, 2), dtype=np.int64))
    by_image = {_key(percent): _mean([image.counts[i].ap for image in scores]) for i, percent in enumerate(THRESHOLDS)}
    truth_count = sum(image.objects_truth for image in scores)
    return {
        "images": len(scores),
        "objects_truth": truth_count,
        "objects_predicted": sum(image.objects_predicted for image in scores),
        "ap": {_key(percent): pooled[i].ap if scores else None for i, percent in enumerate(THRESHOLDS)},
        "mean_ap": _mean([counts.ap for counts in pooled]),
        "ap_by_image": by_image,
        "mean_ap_by_image": _mean([image.mean_ap for image in scores]),
        "f1": pooled[0].f1 if scores else None,
        "pq": pooled[0].pq if scores else None,
        "seg": sum(image.seg_sum for image in scores) / truth_count if truth_count else None,
        **confusion_scores(histogram),
        "dice": dice(histogram) if scores else None,
        "per_image": [_row(image, name) for image, name in zip(scores, names, strict=True)],
    }


def _row(image: ImageScores, name: str) -> dict[str, Any]:
    at_half = image.counts[0]
    return {
        "name": name,
        "objects_predicted": image.objects_predicted,
        "objects_truth": image.objects_truth,
        "ap50": at_half.ap,
        "mean_ap": image.mean_ap,
        "f1": at_half.f1,
        "pq": at_half.pq,
        "seg": image.seg,
        "dice": dice(image.histogram),
    }


def _key(percent: int) -> str:
    return f"{percent / 100:.2f}"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 1.0
