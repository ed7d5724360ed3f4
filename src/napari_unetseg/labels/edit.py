"""Correct objects by hand: merge, split along a line, delete, fill holes; each gives the changed box alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.draw import line as line_pixels

from napari_unetseg.labels import clean
from napari_unetseg.schema.errors import InputError

Box = tuple[slice, ...]

SMALLEST_PIECE = 0.02
"""Share of an object that a piece must have; smaller ones are crumbs of a slanted cut and join a neighbour."""


@dataclass(frozen=True, slots=True)
class Patch:
    """New labels for one box of a label map; everything else stays as it is."""

    box: Box
    labels: NDArray[Any]
    ids: tuple[int, ...]
    """The objects that were changed, made or removed."""


def merge(labels: NDArray[Any], ids: Sequence[int], *, within: Box | None = None) -> Patch:
    """Give all `ids` the first one of them, and close gaps of one pixel between them.

    1 1 0 2 2        1 1 1 1 1
    1 1 0 2 2   ->   1 1 1 1 1
    1 0 0 0 2        1 0 1 0 1
    """
    if len(set(ids)) < 2:
        raise InputError("merging needs two objects; choose another one than the one selected")
    box = padded(_box(labels, ids, within=within), labels.shape, margin=1)
    before = labels[box]
    structure = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
    near = sum(ndimage.binary_dilation(before == one, structure).astype(np.uint8) for one in ids)
    is_gap = (before == 0) & (near > 1)
    after = np.where(np.isin(before, ids) | is_gap, labels.dtype.type(ids[0]), before)
    return Patch(box, after, tuple(ids))


def split(labels: NDArray[Any], label: int, line: NDArray[Any], *, next_id: int, within: Box | None = None) -> Patch:
    """Cut an object along a line of points (n, 2) in Y, X; the largest piece keeps its id, others get `next_id`, ...

    A stack is cut through all planes. The pixels under the line go to the nearest piece, so that no gap is left. A line
    that ends inside the object is prolonged.
    """
    box = _box(labels, [label], within=within)
    before = labels[box]
    is_object = before == label
    pieces = _pieces(is_object, _drawn(line, box=box, shape=labels.shape[-2:]))
    if pieces.max() < 2:
        pieces = _pieces(is_object, _drawn(_prolonged(line), box=box, shape=labels.shape[-2:]))
    count = int(pieces.max())
    if count < 2:
        raise InputError(f"the line does not cut object {label} in two; draw it from one side of it to the other")
    _check_id(next_id + count - 2, labels.dtype)
    new = np.concatenate([[0, label], np.arange(next_id, next_id + count - 1)]).astype(labels.dtype)
    return Patch(box, np.where(is_object, new[pieces], before), tuple(int(one) for one in new[1:]))


def cut_by(plane: NDArray[Any], line: NDArray[Any], *, preferred: int) -> int:
    """Return the object of a plane (Y, X) that a line is meant for: the one it crosses longest, 0 where it meets none.

    `preferred` is taken if the line crosses it at least half as long.
    """
    low, high = np.floor(np.min(line, axis=0)), np.ceil(np.max(line, axis=0)) + 1
    box = tuple(
        slice(*np.clip(side, 0, n).astype(int)) for side, n in zip(np.transpose([low, high]), plane.shape, strict=True)
    )
    crossed = plane[box][_drawn(line, box=box, shape=plane.shape)]
    ids, count = np.unique(crossed[crossed > 0], return_counts=True)
    if not len(ids):
        return 0
    if preferred in ids and 2 * count[ids == preferred][0] >= count.max():
        return preferred
    return int(ids[np.argmax(count)])


def delete(labels: NDArray[Any], label: int, *, within: Box | None = None) -> Patch:
    """Turn an object into background."""
    box = _box(labels, [label], within=within)
    before = labels[box]
    return Patch(box, np.where(before == label, labels.dtype.type(0), before), (label,))


def fill_holes(labels: NDArray[Any], label: int, *, within: Box | None = None) -> Patch:
    """Fill the holes of one object; other objects inside it, and holes open to the edge of the image, stay."""
    box = _box(labels, [label], within=within)
    before = labels[box]
    alone = np.where(before == label, before, labels.dtype.type(0))
    is_filled = clean.fill_holes(np.pad(alone, 1))[(slice(1, -1),) * labels.ndim] == label
    return Patch(box, np.where(is_filled & (before == 0), labels.dtype.type(label), before), (label,))


def neighbours(labels: NDArray[Any], label: int, *, reach: int = 2, within: Box | None = None) -> list[int]:
    """Return the objects within `reach` pixels of an object, the one with the longest contact first."""
    box = padded(_box(labels, [label], within=within), labels.shape, margin=reach)
    near = labels[box]
    structure = ndimage.generate_binary_structure(labels.ndim, labels.ndim)
    shell = ndimage.binary_dilation(near == label, structure, iterations=reach)
    found, contact = np.unique(near[shell & (near > 0) & (near != label)], return_counts=True)
    return [int(one) for one in found[np.argsort(-contact, kind="stable")]]


def find_box(labels: NDArray[Any], ids: Sequence[int], *, within: Box | None = None) -> Box | None:
    """Return the smallest box around these objects, none where they have no pixel.

    `within` is where they were last: only if they reach its edge, or are not there, the whole map is searched.
    """
    if within is not None:
        within = padded(within, labels.shape, margin=1)
        found = _tight(np.isin(labels[within], ids), start=[side.start for side in within])
        if found is not None and not _reaches_edge(found, within, labels.shape):
            return found
    return _tight(np.isin(labels, ids) if len(ids) > 1 else labels == ids[0], start=[0] * labels.ndim)


def padded(box: Box, shape: Sequence[int], *, margin: int) -> Box:
    """Return a box with `margin` more pixels on each side, as far as the map goes."""
    return tuple(
        slice(max(side.start - margin, 0), min(side.stop + margin, length))
        for side, length in zip(box, shape, strict=True)
    )


def _box(labels: NDArray[Any], ids: Sequence[int], *, within: Box | None) -> Box:
    box = find_box(labels, ids, within=within)
    if box is None or 0 in ids:
        raise InputError(f"there is no object {', '.join(str(one) for one in ids)} any more; choose another one")
    return box


def _tight(mask: NDArray[np.bool_], *, start: Sequence[int]) -> Box | None:
    sides = []
    for axis, offset in enumerate(start):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        where = np.flatnonzero(mask.any(axis=others))
        if not where.size:
            return None
        sides.append(slice(offset + int(where[0]), offset + int(where[-1]) + 1))
    return tuple(sides)


def _reaches_edge(found: Box, within: Box, shape: Sequence[int]) -> bool:
    return any(
        (inner.start == outer.start > 0) or (inner.stop == outer.stop < length)
        for inner, outer, length in zip(found, within, shape, strict=True)
    )


def _drawn(line: NDArray[Any], *, box: Box, shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return the pixels of the box under the line, joined at corners only, as (Y, X)."""
    rows, columns = box[-2:]
    drawn = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=bool)
    # Far outside nothing is cut, and a line of many millions of pixels is no use.
    points = np.clip(np.rint(np.asarray(line, float)), -max(shape), 2 * max(shape)).astype(int)
    for (y0, x0), (y1, x1) in pairwise(points):
        y, x = line_pixels(y0, x0, y1, x1)  # type: ignore[no-untyped-call]
        y, x = y - rows.start, x - columns.start
        is_inside = (y >= 0) & (y < drawn.shape[0]) & (x >= 0) & (x < drawn.shape[1])
        drawn[y[is_inside], x[is_inside]] = True
    return drawn


def _prolonged(line: NDArray[Any]) -> NDArray[np.float64]:
    """Return the line with both ends continued straight, by half of its extent."""
    line = np.asarray(line, np.float64)
    reach = np.linalg.norm(np.ptp(line, axis=0)) / 2
    ends = []
    for end, inner in ((line[0], line[1]), (line[-1], line[-2])):
        length = np.linalg.norm(end - inner)
        ends.append(end + (end - inner) * (reach / length if length else 0))
    return np.concatenate([[ends[0]], line, [ends[1]]])


def _pieces(is_object: NDArray[np.bool_], drawn: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Give each object pixel the number of its piece beside the line, 1 for the largest."""
    rest = is_object & ~drawn
    pieces, count = ndimage.label(rest)
    size = np.bincount(pieces.ravel(), minlength=count + 1)
    size[0] = 0
    order = np.argsort(-size, kind="stable")
    order = order[size[order] >= max(1, SMALLEST_PIECE * size.sum())]
    table = np.zeros(count + 1, dtype=np.int32)
    table[order] = np.arange(1, len(order) + 1)
    numbered: NDArray[np.int32] = table[pieces]
    if not len(order):
        return is_object.astype(np.int32)
    nearest = ndimage.distance_transform_edt(numbered == 0, return_distances=False, return_indices=True)
    return np.where(is_object, numbered[tuple(nearest)], 0).astype(np.int32)


def _check_id(highest: int, dtype: np.dtype[Any]) -> None:
    if highest > np.iinfo(dtype).max:
        raise InputError(
            f"the layer's type {dtype} holds ids up to {np.iinfo(dtype).max}, the new object would be {highest}; "
            "convert the layer to int32 (right click on it: Convert data type)"
        )
