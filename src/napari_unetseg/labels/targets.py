"""Turn labels into what the network learns: classes with ignored pixels, and the distance to the border of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.ids import IGNORE, compact, object_boxes
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.schema.errors import InputError

BACKGROUND, INTERIOR, BOUNDARY = 0, 1, 2
PAINTED_MARGIN = 3.0
"""Width (px) of the background around a painted object when the rest of the image is not annotated."""
_FAR = np.float32(1e6)


@dataclass(frozen=True, slots=True)
class Targets:
    """Class of each pixel (-1: ignored), and its normalised distance to the border of its object where wanted."""

    classes: NDArray[np.int64]
    distance: NDArray[np.float32] | None


def make_targets(
    labels: NDArray[Any],
    *,
    config: TargetConfig,
    spacing: tuple[float, ...] | None = None,
    unlabelled_is_background: bool = True,
) -> Targets:
    """Return the targets of one label map ([Z,] Y, X).

        label   0 0 3 3 3 3 3 7 7 7 0     boundary_width = 1
        class   0 0 2 1 1 1 2 2 1 2 0     (0 background, 1 interior, 2 boundary)
        distance    1 2 3 2 1 1 2 1       divided by the largest of each object

    The image border and ignored pixels are taken for a continuation of the object, since nothing ends there.
    With `unlabelled_is_background=False` only a margin of 3 px around the objects is background, because a painted
    cell ends where its paint ends; other unlabelled pixels are ignored. Labels that name classes are targets already;
    there all unlabelled pixels are ignored, since what is not painted may be of the class beside it.
    """
    if config.is_semantic:
        return Targets(_of_classes(labels, unlabelled_is_background=unlabelled_is_background), None)
    objects, _ = compact(labels)
    sampling = relative_spacing(spacing, ndim=objects.ndim)
    is_wide = config.kind != "distance" and config.boundary_width > 1
    depth = border_depth(objects, sampling=sampling) if config.has_distance or is_wide else None

    classes = (objects > 0).astype(np.int64)
    if config.kind != "distance":
        is_boundary = _touches_outside(objects)
        if depth is not None and is_wide:
            is_boundary |= (objects > 0) & (depth <= config.boundary_width)
        classes[is_boundary] = BOUNDARY
    classes[objects == IGNORE] = IGNORE
    if not unlabelled_is_background:
        classes[(objects == 0) & ~near_objects(objects, sampling=sampling)] = IGNORE
    return Targets(classes, _normalised(depth, objects) if depth is not None and config.has_distance else None)


def _of_classes(labels: NDArray[Any], *, unlabelled_is_background: bool) -> NDArray[np.int64]:
    classes = labels.astype(np.int64)
    if not unlabelled_is_background:
        classes[classes == BACKGROUND] = IGNORE
    return classes


def relative_spacing(spacing: tuple[float, ...] | None, *, ndim: int) -> tuple[float, ...]:
    """Return the pixel size along each axis in units of the finest one."""
    if ndim not in (2, 3):
        raise InputError(f"labels must have the axes YX or ZYX, got {ndim} axes; pass one time point at a time")
    if spacing is None:
        return (1.0,) * ndim
    if len(spacing) != ndim or not all(np.isfinite(size) and size > 0 for size in spacing):
        raise InputError(
            f"spacing must be {ndim} positive numbers ([Z,] Y, X), got {tuple(spacing)}; correct the scale"
        )
    return tuple(float(size) / min(spacing) for size in spacing)


def border_depth(objects: NDArray[np.int32], *, sampling: tuple[float, ...]) -> NDArray[np.float32]:
    """Return for each object pixel the distance (px of the finest axis) to the nearest pixel outside its object."""
    depth = np.zeros(objects.shape, dtype=np.float32)
    has_ignored = bool((objects == IGNORE).any())
    metric = None if set(sampling) == {1.0} else sampling
    for index, box in enumerate(object_boxes(objects), start=1):
        # One pixel more on each side holds the nearest outside pixel of every pixel inside.
        crop = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        is_inside = objects[crop] == index
        is_solid = is_inside | (objects[crop] == IGNORE) if has_ignored else is_inside
        distance = np.asarray(_FAR) if is_solid.all() else ndimage.distance_transform_edt(is_solid, sampling=metric)
        np.copyto(depth[crop], distance, where=is_inside, casting="same_kind")
    return depth


def _touches_outside(objects: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark object pixels with a face neighbour that is not of their object."""
    touches = np.zeros(objects.shape, dtype=bool)
    for axis in range(objects.ndim):
        before, after = _neighbours(objects, axis=axis)
        differ = (before != after) & (before != IGNORE) & (after != IGNORE)
        for side in _neighbours(touches, axis=axis):
            side |= differ
    touches &= objects > 0
    return touches


def _neighbours(array: NDArray[Any], *, axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
    moved = array.swapaxes(0, axis)
    return moved[:-1].swapaxes(0, axis), moved[1:].swapaxes(0, axis)


def near_objects(objects: NDArray[np.int32], *, sampling: tuple[float, ...]) -> NDArray[np.bool_]:
    is_outside = objects <= 0
    if is_outside.all():
        return np.zeros(objects.shape, dtype=bool)
    near: NDArray[np.bool_] = ndimage.distance_transform_edt(is_outside, sampling=sampling) <= PAINTED_MARGIN
    return near


def _normalised(depth: NDArray[np.float32], objects: NDArray[np.int32]) -> NDArray[np.float32]:
    """Divide the depth by the largest one of each object."""
    is_object = objects > 0
    inside = objects[is_object]
    peak = np.ones(int(inside.max(initial=0)) + 1, dtype=np.float32)
    np.maximum.at(peak, inside, depth[is_object])
    distance = np.zeros_like(depth)
    distance[is_object] = depth[is_object] / peak[inside]
    return distance
