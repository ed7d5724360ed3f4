"""Tiles that are blended, for networks whose tiles are not exact: each fades into the next over their overlap.

   0            S    S+O       2S   2S+O        end
   |------------|~~~~|          |                    tile k begins at k S and is S + O long; over the first and the last
                |~~~~|----------|~~~~|               O pixels (~) its weight rises and falls linearly, not at the ends
                           |....|~~~~|----------|    of the image: the weights of all tiles sum to 1 everywhere

The last tile reads further back (...) so that it sees as much as the others; what it gives there has no weight. Where
tiles begin depends on S and O alone, and maps are summed in the order of the tiles: the result is the same whatever the
memory, and in every window of the image that holds what its tiles read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from itertools import product

import numpy as np
import numpy.typing as npt

from napari_unetseg.images.tiles import Tile, TilePlan, check_inside
from napari_unetseg.schema.errors import InputError


@dataclass(frozen=True, slots=True)
class Blend:
    """Edge of the tiles and pixels over which two of them fade into each other, both multiples of the divisor."""

    edge: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 < 2 * self.overlap <= self.edge:
            raise InputError(
                f"tiles that are blended over {self.overlap} px must have twice that at least, got {self.edge}; "
                f"use {2 * max(1, self.overlap)}"
            )

    @property
    def step(self) -> int:
        """Pixels from one tile to the next."""
        return self.edge - self.overlap

    def is_one_tile(self, shape: tuple[int, ...]) -> bool:
        """Whether an image is seen at once."""
        return max(shape) <= self.edge


def plan(
    shape: tuple[int, ...], *, blend: Blend, divisor: tuple[int, ...], inside: tuple[slice, ...] | None = None
) -> TilePlan:
    """Lay the tiles of an image, in C order, or those that the part `inside` it is made of.

    A tile writes the part that it is the last to add to: what is between its beginning and that of the next.
    """
    padded = tuple(_round_up(n, d) for n, d in zip(shape, divisor, strict=True))
    inside = inside or tuple(slice(0, n) for n in shape)
    check_inside(inside, shape=shape, divisor=divisor)
    rows = [
        [_tile(k, side, length=n, end=end, blend=blend) for k in _touching(side, length=n, blend=blend)]
        for side, n, end in zip(inside, shape, padded, strict=True)
    ]
    tiles = tuple(
        Tile(read=tuple(read), write=tuple(write), spread=tuple(spread))
        for read, write, spread in (zip(*sides, strict=True) for sides in product(*rows))
    )
    return TilePlan(shape=tuple(shape), padded=padded, tiles=tiles, inside=inside, overlap=blend.overlap)


def window(side: slice, *, length: int, blend: Blend) -> slice:
    """Return what the tiles read, along an axis, of which `side` is made; it begins where a tile does.

    So the tiles of the window are those of the image.
    """
    numbers = _touching(side, length=length, blend=blend)
    begin = min(_read_from(number, length=length, end=length, blend=blend) for number in numbers)
    return slice(begin // blend.step * blend.step, min(length, numbers[-1] * blend.step + blend.edge))


def add(values: npt.NDArray[np.float32], *, tile: Tile, plan: TilePlan, out: npt.NDArray[np.float32]) -> None:
    """Add what a tile gives (K, ...spread) to the sums (K, ...written), by its weights."""
    where, taken, weights = [], [], []
    for part, side, length, end in zip(tile.gives, plan.inside, plan.shape, plan.padded, strict=True):
        low, high = max(part.start, side.start), min(part.stop, side.stop, length)
        where.append(slice(low - side.start, high - side.start))
        taken.append(slice(low - part.start, high - part.start))
        weights.append(ramps(part, end=end, overlap=plan.overlap)[taken[-1]])
    out[(slice(None), *where)] += values[(slice(None), *taken)] * reduce(np.multiply.outer, weights)


def ramps(part: slice, *, end: int, overlap: int) -> npt.NDArray[np.float32]:
    """Return the weight of each pixel of a tile along an axis that ends at `end`.

    What falls is what the next tile's rising leaves to 1, to the last digit.
    """
    weight = np.ones(part.stop - part.start, np.float32)
    rising = ((np.arange(overlap) + 0.5) / overlap).astype(np.float32)
    if part.start > 0:
        weight[:overlap] = rising
    if part.stop < end:
        weight[-overlap:] = 1 - rising
    return weight


def overlap_of(edge: int, *, multiple: int, share: float) -> int:
    """Return the overlap of tiles of an edge: a share of it, rounded up to what offsets are multiples of."""
    return _round_up(math.ceil(edge * share), multiple)


def _last(length: int, *, blend: Blend) -> int:
    """Return the number of the last tile: the first that reaches the end."""
    return max(0, -(-(length - blend.edge) // blend.step))


def _touching(side: slice, *, length: int, blend: Blend) -> range:
    """Return the numbers of the tiles that add to a side."""
    last = _last(length, blend=blend)
    first = max(0, -(-(side.start - blend.edge + 1) // blend.step))
    return range(min(first, last), min(last, (side.stop - 1) // blend.step) + 1)


def _read_from(number: int, *, length: int, end: int, blend: Blend) -> int:
    """Return where a tile begins to read: the last one before its beginning, where it would see much less else.

    Not if it is longer than a step anyway: so a window need never begin more than a tile earlier.
    """
    first = number * blend.step
    is_short = number == _last(length, blend=blend) and end - first <= blend.step
    return max(0, end - blend.edge) if is_short else first


def _tile(number: int, side: slice, *, length: int, end: int, blend: Blend) -> tuple[slice, slice, slice]:
    """Return what a tile reads, writes and adds to along an axis of `length` that is extended to `end`."""
    is_last = number == _last(length, blend=blend)
    first = number * blend.step
    stop = end if is_last else first + blend.edge
    low = max(first, side.start)
    limit = end if side.stop == length else side.stop
    high = min(end if is_last else first + blend.step, limit)
    read = slice(_read_from(number, length=length, end=end, blend=blend), stop)
    return read, slice(low, max(low, high)), slice(first, stop)


def _round_up(value: int, divisor: int) -> int:
    return -(-value // divisor) * divisor
