"""How the frames of an image are cut into blocks, so that a run stays within its memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_unetseg.images import blocks as cutting
from napari_unetseg.images.blocks import Block
from napari_unetseg.images.budget import available_memory, readable
from napari_unetseg.images.large import DECODE_BYTES
from napari_unetseg.images.rescale import scaled_shape
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.frames import Frame, frame_shape, frames_of
from napari_unetseg.tasks.lattice import lattice_of, tile_bytes, too_large
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.scaled import copy_bytes, factor_of, lattice_in

DEFAULT_MEMORY = 2 * 2**30
NETWORK_SHARE = {2: 4, 3: 2}
"""The part of the memory that goes to a tile in the network: a quarter; in 3D, where context is most of it, half."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The frames of an image and the blocks that each is cut into, numbered frame by frame."""

    frames: tuple[Frame, ...]
    shape: tuple[int, ...]
    blocks: tuple[Block, ...]

    def __len__(self) -> int:
        return len(self.frames) * len(self.blocks)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many blocks a frame has along each axis."""
        return tuple(len({block.core[axis].start for block in self.blocks}) for axis in range(len(self.shape)))

    def at(self, number: int) -> tuple[Frame, Block]:
        """Return frame and block of a number."""
        frame, block = divmod(number, len(self.blocks))
        return self.frames[frame], self.blocks[block]

    def numbers(self, frame: int) -> range:
        """Return the numbers of the blocks of a frame."""
        return range(frame * len(self.blocks), (frame + 1) * len(self.blocks))


def lay_out(
    source: ImageSource,
    *,
    model: Model,
    channels: Sequence[int],
    memory: int,
    counts: Sequence[int] | None = None,
    diameter: float | None = None,
    tiling: TilingConfig | None = None,
) -> Layout:
    """Cut the frames into the fewest blocks that fit into the memory, or as they were cut before (`counts`).

    `diameter` is that of the objects where the image is scaled to the model's; all of the layout is in its own pixels.
    `tiling` says how large tiles are that are blended, and where the network runs.
    """
    network, ndim, tiling = model.network, model.card.network.ndim, tiling or TilingConfig()
    shape = frame_shape(source, ndim=ndim)
    factor = factor_of(model.card, diameter=diameter)
    margin = (math.ceil(margin_of(model) / factor),) * ndim

    lattice = lattice_in(lattice_of(network, tile=tiling.tile), factor=factor)
    frames = tuple(frames_of(source, ndim=ndim))
    if counts is not None:
        return Layout(frames, shape, cutting.cut(shape, counts=tuple(counts), margin=margin, lattice=lattice))

    def fit(tile: int | None) -> tuple[Block, ...]:
        lattice = lattice_in(lattice_of(network, tile=tile), factor=factor)
        seen = scaled_shape(shape, factor=factor)
        for_network = max(memory // NETWORK_SHARE[ndim], tile_bytes(network, tiling=tiling, tile=tile, shape=seen))
        pixels = (memory - for_network) // _bytes_per_pixel(source, model=model, channels=channels, factor=factor)
        return cutting.fit(shape, margin=margin, lattice=lattice, pixels=int(pixels))

    try:
        return Layout(frames, shape, fit(tiling.tile))
    except InputError as error:
        if network.is_tile_exact:
            raise
        limit = f"{readable(memory)} of memory"
        raise too_large(network, tiling=tiling, limit=limit, name=source.name, attempt=fit) from error


def margin_of(model: Model) -> int:
    """Return how far beyond its core a block looks, so that objects up to that length are seen whole.

    A pixel has its class without its neighbours: nothing more is looked at.
    """
    if model.card.target.is_semantic:
        return 0
    is_3d = model.card.network.ndim == 3
    diameter = model.card.object_diameter or (16 if is_3d else 32)
    return max(16, round(2 * diameter)) if is_3d else max(64, round(4 * diameter))


def default_memory(*, ndim: int = 2) -> int:
    """Return the bytes a run may take unless told otherwise: 2 GiB, or half of what is free; in 3D always the half."""
    half = available_memory() // 2
    return half if ndim == 3 else min(DEFAULT_MEMORY, half)


def _bytes_per_pixel(source: ImageSource, *, model: Model, channels: Sequence[int], factor: float) -> float:
    """Return what a pixel of a window takes: two blocks are in the works, and a third is being read."""
    maps = 2 * 4 * model.card.target.out_channels
    images = 3 * len(channels) * (4 + source.dtype.itemsize)
    return maps + images + DECODE_BYTES + copy_bytes(model.card, factor=factor)
