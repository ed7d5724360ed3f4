"""Score the topology of cells and the borders between them: what no shift of a border explains (Jain et al. 2010)."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.regions import regions_of

RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""The neighbours of a pixel, (y, x), one after the other around it: corners at even places, faces at odd ones."""


def warping_errors(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], *, known: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """Return what of `found` no warping of the truth explains; both ([Z,] Y, X) are True in cells, False in borders.

    `warping_error` is the share of pixels that still differ once the truth is warped (Jain et al. 2010, eq. 1),
    `split_merge_error` that of the pixels among them that split a cell or merge cells: specks, holes and lost cells are
    left out, as in the ISBI challenge of 2012, which took the best threshold of each result besides. `splits` is how
    many pieces too many borders cut cells into, `mergers` how many cells too few gaps in borders leave; two gaps
    between the same cells are two. Stacks are scored plane by plane. What is not `known` (none: all is) is taken as
    found, and does not count.
    """
    if known is not None:
        truth = np.where(known, truth, found)
    shape = (math.prod(found.shape[:-2]), *found.shape[-2:])
    planes = zip(found.reshape(shape), truth.reshape(shape), strict=True)
    counts = sum((_mistakes(plane, warp(true, plane)) for plane, true in planes), np.zeros(4, np.int64))
    left, dividing, splits, mergers = counts.tolist()
    pixels = max(1, found.size if known is None else int(known.sum()))
    return {
        "warping_error": left / pixels,
        "split_merge_error": dividing / pixels,
        "splits": float(splits),
        "mergers": float(mergers),
    }


def warp(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the truth (Y, X) changed towards `found` by flips of simple pixels alone, until no more is possible.

    A pixel is simple if its flip leaves the numbers of cells (connected through faces) and of borders (through corners
    too) as they are. Around the image lies border. There is no mask of places where a border may not go, but only
    pixels that differ are flipped: a border that does not even touch the true one is another border. Which of all
    warpings comes out depends on the order of flips (the best is not known to be found, as in Jain et al. 2010). Here
    pixels in even or odd rows and columns are looked at together, as none of them is another's neighbour, so that
    borders move from all sides at once, and always the same way.
    """
    image, target = np.pad(truth, 1), np.pad(found, 1)
    width = image.shape[1]
    pixels, wanted = image.ravel(), target.ravel()
    steps = [y * width + x for y, x in RING]
    is_near = np.zeros(pixels.shape, bool)
    queue = np.flatnonzero(pixels != wanted)
    while queue.size:
        parity = queue // width % 2 * 2 + queue % width % 2
        for number in range(4):
            flipped = _simple(queue[parity == number], pixels=pixels, steps=steps)
            pixels[flipped] = wanted[flipped]
            for step in steps:
                is_near[flipped + step] = True
        near = np.flatnonzero(is_near)  # nowhere else can a pixel have become simple
        is_near[near] = False
        queue = near[pixels[near] != wanted[near]]
    return image[1:-1, 1:-1]


@functools.cache
def simple_codes() -> NDArray[np.bool_]:
    """Tell of all 256 neighbourhoods, bit i standing for a cell at `RING[i]`, whether the pixel within is simple.

    It is if its number of connectivity (Yokoi, Toriwaki and Fukumura 1975) is 1: one piece of cell lies at its faces,
    and one piece of border anywhere around it.
    """
    is_cell = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    face, corner, next_face = is_cell[:, 1::2], is_cell[:, [2, 4, 6, 0]], is_cell[:, [3, 5, 7, 1]]
    return np.asarray((face & ~(corner & next_face)).sum(axis=1) == 1)


def _simple(places: NDArray[np.intp], *, pixels: NDArray[np.bool_], steps: list[int]) -> NDArray[np.intp]:
    """Return those of the places in a flat image that are simple."""
    codes = np.zeros(places.shape, np.uint8)
    for bit, step in enumerate(steps):
        codes |= pixels[places + step].astype(np.uint8) << bit
    return places[simple_codes()[codes]]


def _mistakes(found: NDArray[np.bool_], warped: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the numbers of pixels that differ, of those among them that split or merge, of splits and of mergers."""
    cells, pieces = regions_of(warped), regions_of(warped & found)
    gaps, walls = (ndimage.label(one, np.ones((3, 3)))[0] for one in (found & ~warped, warped & ~found))
    merging, mergers = _between(gaps, cells, owner=np.zeros_like(cells))
    splitting, splits = _between(walls, pieces, owner=cells)
    dividing = np.isin(gaps, merging).sum() + np.isin(walls, splitting).sum()
    return np.array([(found != warped).sum(), dividing, splits, mergers])


def _between(parts: NDArray[Any], regions: NDArray[Any], *, owner: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return the ids of parts with faces to two or more regions of one owner, and how many more than one they touch."""
    parts, regions, owner = (np.pad(one, 1).astype(np.int64) for one in (parts, regions, owner))
    owner_of = np.zeros(1 + regions.max(), np.int64)
    owner_of[regions] = owner
    places = np.flatnonzero(parts)
    faces = places[:, None] + np.array([1, -1, parts.shape[1], -parts.shape[1]])
    part, region = np.broadcast_arrays(parts.ravel()[places][:, None], regions.ravel()[faces])
    part, region = np.unique(np.stack([part[region > 0], region[region > 0]]), axis=1)
    (ids, _), counts = np.unique(np.stack([part, owner_of[region]]), axis=1, return_counts=True)
    return np.unique(ids[counts > 1]), int((counts - 1).sum())
