"""Weigh pixels as the U-Net paper does: rare classes count more, narrow gaps between cells most of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.ids import IGNORE, compact, object_boxes
from napari_unetseg.labels.targets import Targets, relative_spacing
from napari_unetseg.schema.config import WeightConfig
from napari_unetseg.schema.errors import InputError

MAX_ERROR = 5e-5
"""Largest border weight that is left out because the cells are too far apart."""
LOWEST_CLASS_WEIGHT, HIGHEST_CLASS_WEIGHT = 0.1, 10.0


def weight_map(
    labels: NDArray[Any],
    *,
    targets: Targets,
    config: WeightConfig,
    class_weight: NDArray[np.float32] | None,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.float32]:
    """Return w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2)) (Ronneberger et al. 2015, eq. 2), and 0 on ignored pixels.

    Without `class_weight`, w_c is 1.
    """
    classes = targets.classes
    if classes.shape != labels.shape:
        raise InputError(
            f"targets of shape {classes.shape} do not belong to labels of shape {labels.shape}; remake them"
        )
    weight = boundary_weights(labels, config=config, spacing=spacing)
    if class_weight is None:
        weight += 1
    else:
        weight += np.asarray(class_weight, dtype=np.float32)[classes]
    weight[classes == IGNORE] = 0
    return weight


def boundary_weights(
    labels: NDArray[Any], *, config: WeightConfig, spacing: tuple[float, ...] | None = None
) -> NDArray[np.float32]:
    """Return w0 exp(-(d1 + d2)^2 / (2 sigma^2)) on the background (Ronneberger et al. 2015, eq. 2), 0 elsewhere.

    d1 and d2 are the distances to the nearest and the second nearest object, in pixels of the finest axis. A separation
    border is drawn between touching objects first; it belongs to the background. With fewer than two objects: 0.
    """
    separated, _ = compact(separate_touching(labels))
    weight = np.zeros(separated.shape, dtype=np.float32)
    if config.w0 <= MAX_ERROR:
        return weight
    reach = config.sigma * math.sqrt(2 * math.log(config.w0 / MAX_ERROR))
    sampling = relative_spacing(spacing, ndim=separated.ndim)
    nearest, second = _two_nearest(separated, sampling=sampling, reach=reach)
    where = np.flatnonzero((second <= reach) & (separated == 0))
    total = nearest.ravel()[where] + second.ravel()[where]
    weight.ravel()[where] = config.w0 * np.exp(-(total**2) / (2 * config.sigma**2))
    return weight


def separate_touching(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels with one pixel of background between objects that share a face; the larger one gives way."""
    contacts = [_contacts(labels, axis=axis) for axis in range(labels.ndim)]
    separated = labels.copy()
    if not any(first[0].size for first, _ in contacts):
        return separated
    objects, _ = compact(labels)
    size = np.bincount(objects[objects > 0])
    for first, second in contacts:
        a, b = objects[first], objects[second]
        first_gives_way = (size[a] > size[b]) | ((size[a] == size[b]) & (a > b))
        for pixels, gives_way in ((first, first_gives_way), (second, ~first_gives_way)):
            separated[tuple(index[gives_way] for index in pixels)] = 0
    return separated


def _contacts(labels: NDArray[Any], *, axis: int) -> tuple[tuple[NDArray[np.intp], ...], tuple[NDArray[np.intp], ...]]:
    """Return the pixels, and their next ones along an axis, where one object ends and another begins."""
    here = tuple(slice(-1) if i == axis else slice(None) for i in range(labels.ndim))
    there = tuple(slice(1, None) if i == axis else slice(None) for i in range(labels.ndim))
    differ = labels[here] != labels[there]
    # Few pixels differ from the next, so the rest of the test is for them alone.
    first = np.unravel_index(np.flatnonzero(differ), differ.shape)
    second = tuple(index + (i == axis) for i, index in enumerate(first))
    touch = (labels[first] > 0) & (labels[second] > 0)
    return tuple(index[touch] for index in first), tuple(index[touch] for index in second)


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


def _two_nearest(
    objects: NDArray[np.int32], *, sampling: tuple[float, ...], reach: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the distances to the nearest and the second nearest object; beyond `reach` they may stay infinite.

    Each object gets its own distance transform, only within reach of it, and the two minima are kept running.
    """
    nearest = np.full(objects.shape, np.inf, dtype=np.float32)
    second = nearest.copy()
    metric = None if set(sampling) == {1.0} else sampling
    margin = [math.ceil(reach / step) for step in sampling]
    for index, box in enumerate(object_boxes(objects), start=1):
        crop = tuple(slice(max(side.start - m, 0), side.stop + m) for side, m in zip(box, margin, strict=True))
        distance = ndimage.distance_transform_edt(objects[crop] != index, sampling=metric).astype(np.float32)
        np.minimum(second[crop], np.maximum(nearest[crop], distance), out=second[crop])
        np.minimum(nearest[crop], distance, out=nearest[crop])
    return nearest, second
