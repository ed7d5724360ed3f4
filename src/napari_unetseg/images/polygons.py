"""Outlines filled to pixels: polygons, with holes too, and ellipses. Coordinates are x, y; a pixel is 1 wide.

The corner of the first pixel is (0, 0), as in ImageJ, COCO and LabelMe, so its centre is (0.5, 0.5). A pixel belongs to
an outline that its centre lies in; of two outlines that share an edge exactly one gets a pixel whose centre lies on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from skimage.draw import ellipse

FEW_POINTS = "outline of fewer than 3 points"
IMPOSSIBLE = "outline with impossible coordinates"
OUTSIDE = "outline outside the image"
NO_PIXEL = "outline without the centre of a pixel in it"
_FURTHEST = 1e9
"""Coordinates beyond are a mistake."""


class OutlineError(ValueError):
    """An outline that makes no object; the message is a noun phrase, to be counted."""


@dataclass(frozen=True, slots=True)
class Patch:
    """Pixels of one object: a mask (Y, X), at least one pixel of it true, and the place of its corner."""

    y: int
    x: int
    mask: np.ndarray

    @property
    def region(self) -> tuple[slice, slice]:
        """Where the mask lies in the image."""
        return slice(self.y, self.y + self.mask.shape[0]), slice(self.x, self.x + self.mask.shape[1])


def fill(rings: Sequence[Any], *, shape: tuple[int, int], has_holes: bool = False) -> Patch:
    """Return the pixels of an image (Y, X) within rings, each a list of x, y; what lies outside the image is cut off.

    Several rings are parts of one object, or, with `has_holes`, a ring within another one is a hole (even-odd rule).
    Rings of fewer than 3 points enclose nothing and are left out. Raises `OutlineError` if no pixel is left.
    """
    corners = [points for ring in rings if len(points := points_of(ring)) > 2]
    if not corners:
        raise OutlineError(FEW_POINTS)
    everything = np.concatenate(corners)
    (x, y), size = _window(everything.min(axis=0).tolist(), everything.max(axis=0).tolist(), shape=shape)
    mask = np.zeros(size, bool)
    for ring in corners:
        inside = _inside(ring - (x + 0.5, y + 0.5), shape=mask.shape)
        mask = mask ^ inside if has_holes else mask | inside
    return patch_of(mask, y=y, x=x)


def fill_ellipse(*, centre: tuple[float, float], radii: tuple[float, float], shape: tuple[int, int]) -> Patch:
    """Return the pixels of an image (Y, X) within an ellipse of `centre` x, y and `radii` along x and y."""
    if not all(math.isfinite(number) and abs(number) <= _FURTHEST for number in (*centre, *radii)):
        raise OutlineError(IMPOSSIBLE)
    if min(radii) <= 0:
        raise OutlineError(NO_PIXEL)
    low, high = ([c + sign * r for c, r in zip(centre, radii, strict=True)] for sign in (-1, 1))
    (x, y), size = _window(low, high, shape=shape)
    mask = np.zeros(size, bool)
    pixels = ellipse(  # type: ignore[no-untyped-call]  # scikit-image says no types
        centre[1] - y - 0.5, centre[0] - x - 0.5, radii[1], radii[0], shape=size
    )
    mask[pixels] = True
    return patch_of(mask, y=y, x=x)


def patch_of(mask: np.ndarray, *, y: int = 0, x: int = 0) -> Patch:
    """Return a mask whose corner lies at `y`, `x` without the empty rows and columns around it."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise OutlineError(NO_PIXEL)
    top, left = int(rows[0]), int(columns[0])
    return Patch(y + top, x + left, mask[top : rows[-1] + 1, left : columns[-1] + 1])


def points_of(ring: Any) -> np.ndarray:
    """Return the points (N, 2) of a ring: x, y one after the other, or pairs of them."""
    try:
        flat = np.asarray(ring, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise OutlineError(IMPOSSIBLE) from None
    if flat.size % 2 or flat.ndim > 2 or (flat.ndim == 2 and flat.shape[1] != 2):
        raise OutlineError(IMPOSSIBLE)
    if not (np.abs(flat) <= _FURTHEST).all():  # NaN is not
        raise OutlineError(IMPOSSIBLE)
    return flat.reshape(-1, 2)


def _window(low: Sequence[float], high: Sequence[float], *, shape: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Return the corner x, y and the size (Y, X) of what an image shows between two points x, y."""
    x, y = (max(0, math.floor(number)) for number in low)
    right, bottom = (min(length, math.ceil(number)) for length, number in zip(shape[::-1], high, strict=True))
    if right <= x or bottom <= y:
        raise OutlineError(OUTSIDE)
    return (x, y), (bottom - y, right - x)


def _inside(ring: np.ndarray, *, shape: tuple[int, ...]) -> np.ndarray:
    """Tell which points of the grid (row y, column x) lie inside, by the even-odd rule.

    In each row every edge changes all that lies right of it from inside to outside or back. This takes as long as there
    are edges, rows they cross and pixels; testing each pixel against each edge (`skimage.draw.polygon`) took minutes
    for the outline of a tissue.
    """
    height, width = shape
    changes = np.zeros((height, width + 1), bool)
    for start, end in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        (x0, y0), (x1, y1) = (start, end) if start[1] <= end[1] else (end, start)  # alike for both sides of an edge
        rows = np.arange(max(math.ceil(y0), 0), max(min(math.ceil(y1), height), 0))
        if rows.size:
            crossing = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
            changes[rows, np.clip(np.ceil(crossing), 0, width).astype(np.intp)] ^= True
    inside: np.ndarray = np.logical_xor.accumulate(changes, axis=1)[:, :width]
    return inside
