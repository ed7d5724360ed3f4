"""Cut a plane or volume into blocks that fit into memory, each with the context that makes its objects whole.

+---------------------------+
|  window: read             |     window = seen grown by the network's halo: exact maps all over `seen`
|  +---------------------+  |     seen   = core grown by the margin: every object that touches the core and
|  |  seen: decoded      |  |              is no longer than the margin is seen whole
|  |  +---------------+  |  |     core   = what the block writes; the cores partition the frame
|  |  |     core      |  |  |
|  |  +---------------+  |  |     all sides lie on multiples of the divisor, or at the end of the frame
|  +---------------------+  |     (of blended tiles the window begins where a tile does)
+---------------------------+
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import product

from napari_unetseg.images.lattice import Lattice
from napari_unetseg.schema.errors import InputError


@dataclass(frozen=True, slots=True)
class Block:
    """What to write, to decode and to read, one slice per spatial axis, in coordinates of the frame."""

    core: tuple[slice, ...]
    seen: tuple[slice, ...]
    window: tuple[slice, ...]

    def open_sides(self, shape: tuple[int, ...]) -> tuple[tuple[bool, bool], ...]:
        """Tell for each axis whether the frame of `shape` goes on before and behind what is seen."""
        return tuple((side.start > 0, side.stop < length) for side, length in zip(self.seen, shape, strict=True))


def within(inner: tuple[slice, ...], outer: tuple[slice, ...]) -> tuple[slice, ...]:
    """Return `inner` in coordinates of `outer`."""
    return tuple(slice(i.start - o.start, i.stop - o.start) for i, o in zip(inner, outer, strict=True))


def cut(
    shape: tuple[int, ...],
    *,
    counts: tuple[int, ...],
    margin: tuple[int, ...],
    lattice: Lattice,
) -> tuple[Block, ...]:
    """Cut a frame into about `counts` blocks along each axis, in C order; all arguments hold one number per axis."""
    rows = [
        _cut_axis(axis, n, count=c, margin=m, lattice=lattice)
        for axis, (n, c, m) in enumerate(zip(shape, counts, margin, strict=True))
    ]
    return tuple(Block(*(tuple(sides) for sides in zip(*parts, strict=True))) for parts in product(*rows))


def fit(
    shape: tuple[int, ...],
    *,
    margin: tuple[int, ...],
    lattice: Lattice,
    pixels: int,
) -> tuple[Block, ...]:
    """Cut a frame into few blocks whose windows have `pixels` pixels at most; the longest edge is cut first.

    Raises `InputError` where context alone takes more than that.
    """
    sides = [
        partial(_longest_window, axis, n, margin=m, lattice=lattice)
        for axis, (n, m) in enumerate(zip(shape, margin, strict=True))
    ]
    most = [-(-n // grain) for n, grain in zip(shape, lattice.grain, strict=True)]
    smallest: int = math.prod(side(count=count) for side, count in zip(sides, most, strict=True))
    if smallest > pixels:
        raise InputError(
            f"the smallest block with its context has {smallest} pixels, memory allows {pixels}; "
            "give more memory (--memory), or take a model with a smaller receptive field"
        )
    counts = [1] * len(shape)
    while math.prod(side(count=count) for side, count in zip(sides, counts, strict=True)) > pixels:
        edges = [
            n / count / d if count < limit else 0
            for n, count, limit, d in zip(shape, counts, most, lattice.divisor, strict=True)
        ]
        counts[edges.index(max(edges))] += 1
    return cut(shape, counts=tuple(counts), margin=margin, lattice=lattice)


def _longest_window(axis: int, length: int, *, count: int, margin: int, lattice: Lattice) -> int:
    parts = _cut_axis(axis, length, count=count, margin=margin, lattice=lattice)
    return max(int(window.stop - window.start) for _, _, window in parts)


def _cut_axis(axis: int, length: int, *, count: int, margin: int, lattice: Lattice) -> list[tuple[slice, slice, slice]]:
    divisor = lattice.divisor[axis]
    edge, margin = _round_up(-(-length // count), divisor), _round_up(margin, divisor)
    cores = [slice(start, min(start + edge, length)) for start in range(0, length, edge)]
    seen = [_grow(core, margin, length=length) for core in cores]
    return [
        (core, part, lattice.window_along(axis, part, length=length)) for core, part in zip(cores, seen, strict=True)
    ]


def _grow(side: slice, pixels: int, *, length: int) -> slice:
    return slice(max(0, side.start - pixels), min(length, side.stop + pixels))


def _round_up(value: int, divisor: int) -> int:
    return -(-value // divisor) * divisor
