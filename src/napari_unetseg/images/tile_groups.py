"""Which tiles go through the network in one pass, and what becomes of one that is too large for the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from napari_unetseg.images.tiles import Tile, TilePlan


def groups_of(tiles: Sequence[Tile], *, size: int) -> Iterator[list[Tile]]:
    """Group neighbouring tiles of one shape and one set of halos, at most `size` at a time."""
    group: list[Tile] = []
    for tile in tiles:
        if group and (len(group) >= size or (tile.halos, edges_of(tile)) != (group[0].halos, edges_of(group[0]))):
            yield group
            group = []
        group.append(tile)
    if group:
        yield group


def edges_of(tile: Tile) -> tuple[int, ...]:
    """Return the edges of what the network gives for a tile."""
    return tuple(part.stop - part.start for part in tile.gives)


def halves_of(tile: Tile, *, plan: TilePlan, halo: tuple[int, ...], divisor: tuple[int, ...]) -> list[Tile]:
    """Cut what a tile writes across its longest axis, at a multiple of the divisor, and give both parts their halo."""
    axis = max(range(len(divisor)), key=lambda index: edges_of(tile)[index] // divisor[index])
    whole, step = tile.write[axis], divisor[axis]
    middle = whole.start + max(step, (whole.stop - whole.start) // 2 // step * step)
    parts = []
    for cut in (slice(whole.start, middle), slice(middle, whole.stop)):
        write = (*tile.write[:axis], cut, *tile.write[axis + 1 :])
        read = tuple(
            slice(max(0, part.start - pixels), min(length, part.stop + pixels))
            for part, pixels, length in zip(write, halo, plan.padded, strict=True)
        )
        parts.append(Tile(read=read, write=write))
    return parts
