"""Cut an image into overlapping tiles (Ronneberger et al. 2015, fig. 2): integers that say what to read and to write.

  read = write grown by the halo, cut at the padded image
+-----------------------+
|   halo                |      padded image = image, mirrored behind up to a multiple
|   +---------------+   |      the writes of all tiles partition it
|   |     write     |   |      all offsets are multiples of the network's divisor,
|   +---------------+   |      so a tile pools the same pixels as the whole image would
+-----------------------+
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unetseg.schema.errors import InputError


@dataclass(frozen=True, slots=True)
class Tile:
    """What to read and what to write, one slice per spatial axis, in coordinates of the padded image."""

    read: tuple[slice, ...]
    write: tuple[slice, ...]
    """What is complete once this tile is done, and was not before."""
    spread: tuple[slice, ...] | None = None
    """Where it is blended with its neighbours (`images.blend`); none: it alone gives what it writes."""

    @property
    def gives(self) -> tuple[slice, ...]:
        """The part whose values the network is asked for."""
        return self.spread or self.write

    @property
    def halos(self) -> tuple[tuple[int, int], ...]:
        """Pixels read before and after what is given, per axis."""
        return tuple((g.start - r.start, r.stop - g.stop) for r, g in zip(self.read, self.gives, strict=True))


@dataclass(frozen=True, slots=True)
class TilePlan:
    """All tiles of an image of `shape`, which begins the `padded` image."""

    shape: tuple[int, ...]
    padded: tuple[int, ...]
    tiles: tuple[Tile, ...]
    inside: tuple[slice, ...]
    """The part of the image that the tiles write: all of it, or the middle of a window whose rim is context."""
    at_once: int = 1
    """Tiles for which there is memory at the same time."""
    overlap: int = 0
    """Pixels over which tiles are blended; 0: they are exact."""

    @property
    def written(self) -> tuple[int, ...]:
        """Edges of what the tiles write."""
        return tuple(side.stop - side.start for side in self.inside)

    def target(self, tile: Tile) -> tuple[slice, ...]:
        """Return where in an array of the edges `written` a tile writes, without the mirrored pixels behind it."""
        return tuple(
            slice(part.start - side.start, min(part.stop, side.stop) - side.start)
            for part, side in zip(tile.write, self.inside, strict=True)
        )


def plan(
    shape: tuple[int, ...],
    *,
    tile: tuple[int, ...],
    halo: tuple[int, ...],
    divisor: tuple[int, ...],
    inside: tuple[slice, ...] | None = None,
) -> TilePlan:
    """Lay tiles of at most `tile` written pixels, in C order; all arguments hold one entry per spatial axis.

    `halo` is the context each tile reads around what it writes, rounded up to the divisor. `inside` is the part to
    write, if not all: its sides lie on multiples of the divisor, or at the end of the image.
    """
    _check(shape, tile=tile, halo=halo, divisor=divisor)
    padded = tuple(_round_up(n, d) for n, d in zip(shape, divisor, strict=True))
    inside = inside or tuple(slice(0, n) for n in shape)
    check_inside(inside, shape=shape, divisor=divisor)
    rows = [
        _cut_axis(slice(side.start, end if side.stop == n else side.stop), length=end, tile=t, halo=_round_up(h, d))
        for side, n, end, t, h, d in zip(inside, shape, padded, tile, halo, divisor, strict=True)
    ]
    tiles = tuple(
        Tile(read=tuple(read for read, _ in pairs), write=tuple(write for _, write in pairs))
        for pairs in product(*rows)
    )
    return TilePlan(shape=tuple(shape), padded=padded, tiles=tiles, inside=inside)


def check_tile(tile: int | None, *, divisor: tuple[int, ...]) -> None:
    """Refuse, once for all images, a tile edge that does not fit the network."""
    if tile is not None:
        edges = (tile,) * len(divisor)
        _check(edges, tile=edges, halo=(0,) * len(divisor), divisor=divisor)


def read_mirrored(image: Any, *, plan: TilePlan, region: tuple[slice, ...]) -> npt.NDArray[Any]:
    """Copy a `region` (in padded coordinates) of the mirror-extended `image` (C, ...spatial) into a contiguous array.

    Mirroring is numpy's 'reflect' (the border pixel is not doubled), repeated where the image is smaller than the
    padding. Only the pixels that are needed are read, so `image` may be lazy.
    """
    if tuple(image.shape[1:]) != plan.shape:
        raise InputError(
            f"the image has shape {tuple(image.shape[1:])}, the tiles are for {plan.shape}; plan them anew"
        )
    indices = [mirror(np.arange(r.start, r.stop), length=n) for r, n in zip(region, plan.shape, strict=True)]
    box = tuple(slice(int(index.min()), int(index.max()) + 1) for index in indices)
    result = np.asarray(image[(slice(None), *box)])  # (C, ...box), a view where the image is an array
    for axis, (index, part) in enumerate(zip(indices, box, strict=True), start=1):
        is_mirrored = (np.diff(index) != 1).any()
        if is_mirrored:
            result = np.take(result, index - part.start, axis=axis)
    return np.array(result, order="C")


def choose_tile(
    shape: tuple[int, ...],
    *,
    divisor: tuple[int, ...],
    halo: tuple[int, ...],
    bytes_per_pixel: float,
    budget: int,
    largest: int = 1024,
) -> tuple[int, ...]:
    """Return the largest tile, with equal edges as far as the image allows, whose read window fits `budget` bytes.

    No edge exceeds `largest` or the image rounded up to the divisor. If nothing fits, the smallest tile is returned.
    """
    whole = tuple(_round_up(n, d) for n, d in zip(shape, divisor, strict=True))
    step = max(divisor)
    for edge in range(max(largest, step) // step * step, 0, -step):
        tile = tuple(min(edge // d * d, n) for n, d in zip(whole, divisor, strict=True))
        window = (min(t + 2 * _round_up(h, d), n) for t, h, d, n in zip(tile, halo, divisor, whole, strict=True))
        if math.prod(window) * bytes_per_pixel <= budget:
            return tile
    return tuple(divisor)


def volume(region: tuple[slice, ...]) -> int:
    """Return the number of pixels of a region."""
    return math.prod(part.stop - part.start for part in region)


def check_inside(inside: tuple[slice, ...], *, shape: tuple[int, ...], divisor: tuple[int, ...]) -> None:
    """Refuse a part to write whose sides do not fit the network."""
    for side, length, step in zip(inside, shape, divisor, strict=True):
        if not 0 <= side.start < side.stop <= length or side.start % step or (side.stop % step and side.stop < length):
            raise InputError(f"the part to write must lie on multiples of {divisor} within {shape}, got {inside}")


def mirror(positions: npt.NDArray[np.intp], *, length: int) -> npt.NDArray[np.intp]:
    """Return the index in `0..length-1` that each position shows: reflected, the border pixel not doubled."""
    period = max(2 * (length - 1), 1)
    folded = positions % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(folded)


def _cut_axis(side: slice, *, length: int, tile: int, halo: int) -> list[tuple[slice, slice]]:
    """Return the (read, write) slices of one side; the last is smaller where `tile` does not divide it."""
    starts = range(side.start, side.stop, tile)
    writes = [slice(start, min(start + tile, side.stop)) for start in starts]
    return [(slice(max(w.start - halo, 0), min(w.stop + halo, length)), w) for w in writes]


def _round_up(value: int, divisor: int) -> int:
    return -(-value // divisor) * divisor


def _check(shape: tuple[int, ...], **per_axis: tuple[int, ...]) -> None:
    for name, values in per_axis.items():
        if len(values) != len(shape):
            raise InputError(f"{name} needs one number for each of the {len(shape)} spatial axes, got {values}")
    if not 1 <= len(shape) <= 3 or min(shape) < 1:
        raise InputError(f"an image to tile needs 1 to 3 spatial axes, none of them empty; got shape {shape}")
    if min(per_axis["divisor"]) < 1 or min(per_axis["halo"]) < 0:
        raise InputError(f"divisors must be at least 1, halos at least 0; got {per_axis}")
    for tile, divisor in zip(per_axis["tile"], per_axis["divisor"], strict=True):
        if tile < 1 or tile % divisor:
            use = _round_up(max(tile, 1), divisor)
            raise InputError(f"tile size must be a multiple of {divisor}, got {tile}; use {use}")
