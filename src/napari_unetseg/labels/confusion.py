"""Score classes pixel by pixel from a confusion matrix, which adds up over tiles and images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion_scores(histogram: NDArray[Any]) -> dict[str, Any]:
    """Return accuracies and IoU of a confusion matrix, ready for JSON; None where a class has no pixel to judge by.

    accuracy_c = n_cc / truth_c        IoU_c = n_cc / (truth_c + predicted_c - n_cc)
    fw_iou = sum_c truth_c IoU_c / sum_c truth_c
    """
    correct = np.diagonal(histogram).astype(np.float64)
    truth, predicted = histogram.sum(axis=1), histogram.sum(axis=0)
    accuracy = _ratios(correct, truth)
    iou = _ratios(correct, truth + predicted - correct)
    weighted = [float(n) * value for n, value in zip(truth, iou, strict=True) if n and value is not None]
    return {
        "pixel_accuracy": _ratios(correct.sum(keepdims=True), truth.sum(keepdims=True))[0],
        "mean_class_accuracy": _mean(accuracy),
        "iou": iou,
        "mean_iou": _mean(iou),
        "fw_iou": sum(weighted) / float(truth.sum()) if weighted else None,
    }


def dice(histogram: NDArray[Any]) -> float:
    """Return 2 TP / (2 TP + FP + FN) of class 1 of a 2x2 confusion matrix; 1 where it is in neither."""
    (_, invented), (missed, found) = histogram.tolist()
    whole = 2 * found + invented + missed
    return 2 * found / whole if whole else 1.0


def _ratios(part: NDArray[Any], whole: NDArray[Any]) -> list[float | None]:
    return [float(p) / float(w) if w else None for p, w in zip(part, whole, strict=True)]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
