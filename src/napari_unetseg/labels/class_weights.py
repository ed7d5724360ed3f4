"""How much each class weighs, from how many pixels it has: rare ones more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.schema.config import WeightConfig

LOWEST_CLASS_WEIGHT, HIGHEST_CLASS_WEIGHT = 0.1, 10.0


def balanced(counts: NDArray[Any], *, config: WeightConfig) -> NDArray[np.float32]:
    """Return w_c per class, 1 in the mean over pixels, from the annotated pixels `counts` (images, classes).

    Published weights are divided by that mean, so that `w0` means the same with each of them.
    """
    total = counts.sum(axis=0)
    match config.classes:
        case "power":
            weights: NDArray[Any] = class_weights(total) ** config.balance
        case "median_frequency":
            weights = median_frequency(counts)
        case "enet":
            weights = enet(total)
    mean = np.sum(weights * total) / max(1, total.sum())
    return np.asarray(weights / (mean or 1), np.float32)


def median_frequency(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return median(f) / f_c per class (Eigen and Fergus 2015, arXiv:1411.4734; SegNet has the same).

    f_c is the share of class c in the pixels of those images of `counts` (images, classes) that have it. Classes that
    no image has weigh 1 and do not count in the median.
    """
    counts = np.asarray(counts, dtype=np.float64)
    pixels = ((counts > 0) * counts.sum(axis=1, keepdims=True)).sum(axis=0)
    weight = np.ones(counts.shape[1])
    present = pixels > 0
    if present.any():
        frequency = counts.sum(axis=0)[present] / pixels[present]
        weight[present] = np.median(frequency) / frequency
    return weight


def enet(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 / ln(1.02 + p_c) per class, with its share p_c of all pixels: 1.4 to 50 (Paszke et al. 2016, 5.2)."""
    counts = np.asarray(counts, dtype=np.float64)
    share = counts / max(1.0, counts.sum())
    return np.asarray(1 / np.log(1.02 + share), dtype=np.float64)


def class_weights(counts: NDArray[Any]) -> NDArray[np.float32]:
    """Return w_c per class from its number of pixels: inverse frequency within [0.1, 10], 1 in the mean over pixels."""
    counts = np.asarray(counts, dtype=np.float64)
    weight = np.ones(len(counts))
    present = counts > 0
    if not present.any():
        return weight.astype(np.float32)
    share = counts[present] / counts.sum()
    # The mean grows with the factor: halve the interval in which it reaches 1.
    low, high = LOWEST_CLASS_WEIGHT * share.min(), HIGHEST_CLASS_WEIGHT
    for _ in range(100):
        factor = math.sqrt(low * high)
        is_low = (share * _bounded(factor / share)).sum() < 1
        low, high = (factor, high) if is_low else (low, factor)
    weight[present] = _bounded(high / share)
    return weight.astype(np.float32)


def _bounded(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(weight, LOWEST_CLASS_WEIGHT, HIGHEST_CLASS_WEIGHT)
