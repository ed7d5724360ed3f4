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


def weight_map(
    labels: NDArray[Any],
    *,
    targets: Targets,
    config: WeightConfig,
    class_weight: NDArray[np.float32] | None,
    spacing: tuple[float, ...] | None = None,
) -> NDArray[np.float32]:
    """Return w_c + w0 exp(-(d1 + d2)^2 / (2 sigma^2)) (Ronneberger et al. 2015, eq. 2).

    Pixels that are not annotated weigh `config.unlabelled`, by default nothing. Without `class_weight`, w_c is 1.
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
    weight[classes == IGNORE] = config.unlabelled
    return weight


def boundary_weights(
    labels: NDArray[Any], *, config: WeightConfig, spacing: tuple[float, ...] | None = None
) -> NDArray[np.float32]:
    """Return w0 exp(-(d1 + d2)^2 / (2 sigma^2)) on the background (Ronneberger et al. 2015, eq. 2), 0 elsewhere.

    d1 and d2 are the distances to the nearest and the second nearest object, in pixels of the finest axis. A separation
    border is drawn between touching objects first; it belongs to the background. With fewer than two objects: 0.
    """
    weight = np.zeros(labels.shape, dtype=np.float32)
    if config.w0 <= MAX_ERROR:
        return weight
    objects, _ = compact(labels)
    contact = _separation_border(objects)
    if contact.size:
        objects = objects.copy()
        objects.ravel()[contact] = 0
    reach = config.sigma * math.sqrt(2 * math.log(config.w0 / MAX_ERROR))
    total = _distance_to_two(objects, sampling=relative_spacing(spacing, ndim=objects.ndim), reach=reach).ravel()
    where = np.flatnonzero(total <= reach)
    where = where[objects.ravel()[where] == 0]
    weight.ravel()[where] = config.w0 * np.exp(-(total[where] ** 2) / (2 * config.sigma**2))
    return weight


def separate_touching(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels with one pixel of background between objects that share a face; the larger one gives way."""
    objects, _ = compact(labels)
    separated = labels.copy()
    np.put(separated, _separation_border(objects), 0)
    return separated


def _separation_border(objects: NDArray[np.int32]) -> NDArray[np.intp]:
    """Return the flat indices of the pixels to clear between touching objects."""
    contacts = [_contacts(objects, axis=axis) for axis in range(objects.ndim)]
    first, second = (np.concatenate(side) for side in zip(*contacts, strict=True))
    if not first.size:
        return first
    flat = objects.ravel()
    size = np.bincount(flat[flat > 0])
    a, b = flat[first], flat[second]
    first_gives_way = (size[a] > size[b]) | ((size[a] == size[b]) & (a > b))
    return np.where(first_gives_way, first, second)


def _contacts(objects: NDArray[np.int32], *, axis: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the flat indices of pixels, and of their next ones along an axis, where two objects share a face."""
    moved = objects.swapaxes(0, axis)
    differ = (moved[1:] != moved[:-1]).swapaxes(0, axis)
    # Few pixels differ from the next, so the rest of the test is for them alone.
    first = np.ravel_multi_index(np.unravel_index(np.flatnonzero(differ), differ.shape), objects.shape)
    second = first + math.prod(objects.shape[axis + 1 :])
    flat = objects.ravel()
    touch = (flat[first] > 0) & (flat[second] > 0)
    return first[touch], second[touch]


def _distance_to_two(objects: NDArray[np.int32], *, sampling: tuple[float, ...], reach: float) -> NDArray[np.float32]:
    """Return the distance to the nearest object plus that to the second nearest, exact up to `reach`, else larger.

    Each object gets its own distance transform, only within reach of it, and the two minima are kept running.
    """
    nearest = np.full(objects.shape, np.inf, dtype=np.float32)
    second = nearest.copy()
    metric = None if set(sampling) == {1.0} else sampling
    margin = [math.ceil(reach / step) for step in sampling]
    for index, box in enumerate(object_boxes(objects), start=1):
        if box is None:  # nothing is left of it between its neighbours
            continue
        crop = tuple(slice(max(side.start - m, 0), side.stop + m) for side, m in zip(box, margin, strict=True))
        distance = ndimage.distance_transform_edt(objects[crop] != index, sampling=metric).astype(np.float32)
        np.minimum(second[crop], np.maximum(nearest[crop], distance), out=second[crop])
        np.minimum(nearest[crop], distance, out=nearest[crop])
    second += nearest
    return second
