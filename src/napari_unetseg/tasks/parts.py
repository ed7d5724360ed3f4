"""Labels handed over as they come into being: of each tile by itself, as a preview of the plane or volume."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import numpy as np

from napari_unetseg.images.tiles import TilePlan
from napari_unetseg.schema.events import Event, LabelsPart, TileDone

Result = TypeVar("Result")
Decode = Callable[[np.ndarray], np.ndarray]


def tile_parts(
    tiles: Generator[Event, None, Result],
    probability: np.ndarray,
    *,
    plan: TilePlan,
    decode: Decode,
    at: tuple[int, int | None],
    first_id: int | None,
) -> Generator[Event, None, Result]:
    """Pass on the tiles that fill `probability`, and after each its labels, decoded as if there was nothing else.

    An object on the border of two tiles is shown as two until the plane is complete. `at` is the frame's T and Z
    (none: all of Z); ids count on from `first_id` (none: those of classes, which stay). An image of one tile needs no
    preview.
    """
    done = 0
    while True:
        try:
            event = next(tiles)
        except StopIteration as end:
            result: Result = end.value
            return result
        yield event
        if not isinstance(event, TileDone) or len(plan.tiles) == 1:
            continue
        for tile in plan.tiles[done : event.done]:
            where = plan.target(tile)
            labels = decode(probability[(slice(None), *where)])
            if first_id is None:
                yield LabelsPart(region_of(where, at=at), labels)
                continue
            yield LabelsPart(region_of(where, at=at), np.where(labels > 0, labels + np.uint32(first_id - 1), 0))
            first_id += int(labels.max(initial=0))
        done = event.done


def region_of(where: tuple[slice, ...], *, at: tuple[int, int | None]) -> tuple[slice, slice, slice, slice]:
    """Return the place along T, Z, Y, X of a region ([Z,] Y, X) of the frame at T and Z (none: a volume)."""
    t, z = at
    planes = where[0] if z is None else slice(z, z + 1)
    return slice(t, t + 1), planes, where[-2], where[-1]
