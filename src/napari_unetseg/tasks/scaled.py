"""Predict objects of another size than the model has learnt: on a copy of the image in which they have that size.

Tiles lie on the grid of the scaled copy of the whole plane or volume, and the copy's pixels are functions of their
place in it (`images.rescale`). So a window of the image gives the maps of the whole, as it does without scaling.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from napari_unetseg.images.blocks import Block, within
from napari_unetseg.images.lattice import Lattice
from napari_unetseg.images.rescale import Region, last_support, resample, scaled_shape, support
from napari_unetseg.images.tiles import Tile, TilePlan
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import TileDone
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor

ALIKE = 1.25
"""Objects that differ less from what the model has learnt are taken as they are: training has varied sizes by that."""
SMALLEST, LARGEST = 1 / 8, 4.0
"""How far an image is shrunk and enlarged at most."""


@dataclass(frozen=True, slots=True)
class ScaledPlan:
    """Tiles of the scaled copy of an image, which may be a window of a frame, and where each of them shows in it."""

    shape: tuple[int, ...]
    """Of the image."""
    inside: Region
    """The part of the image whose maps are made."""
    start: tuple[int, ...]
    """Where in the frame the image begins."""
    frame: tuple[int, ...]
    window: Region
    """The part of the scaled frame that the network reads."""
    scaled: TilePlan
    """The tiles, in coordinates of that part."""
    factor: float

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """The tiles in the order in which they are done."""
        return self.scaled.tiles

    @property
    def at_once(self) -> int:
        """Tiles for which there is memory at the same time."""
        return self.scaled.at_once

    @property
    def written(self) -> tuple[int, ...]:
        """Edges of the maps that are made."""
        return tuple(side.stop - side.start for side in self.inside)

    def target(self, tile: Tile) -> Region:
        """Return the part of the maps that is known once this tile is done, and was not before; it may be empty.

        The tiles before it lie above or to the left. So a pixel goes to the tile that holds the last of those it is
        interpolated from.
        """
        sides = []
        for axis, part in enumerate(tile.write):
            first = self.start[axis] + self.inside[axis].start
            pixels = np.arange(first, first + self.written[axis])
            length = scaled_shape(self.frame, factor=self.factor)[axis]
            last = last_support(pixels, length=length, factor=1 / self.factor)
            ends = np.searchsorted(last, [part.start + self.window[axis].start, part.stop + self.window[axis].start])
            sides.append(slice(int(ends[0]), int(ends[1])))
        return tuple(sides)


class ScaledPredictor:
    """Does what a `Predictor` does, on a copy of the image that is `factor` times as large."""

    def __init__(self, predictor: Predictor, *, factor: float) -> None:
        self._predictor = predictor
        self.factor = factor

    @property
    def device(self) -> torch.device:
        """Where the network runs."""
        return self._predictor.device

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        return self._predictor.dtype

    @property
    def tiling(self) -> TilingConfig:
        """What was asked for."""
        return self._predictor.tiling

    @property
    def lattice(self) -> Lattice:
        """Where the tiles of the copy lie."""
        return self._predictor.lattice

    @property
    def batch(self) -> int:
        """Tiles per forward pass."""
        return self._predictor.batch

    def bytes_per_pixel(self) -> float:
        """Bytes alive per pixel of a tile."""
        return self._predictor.bytes_per_pixel()

    def plan(
        self,
        shape: tuple[int, ...],
        *,
        budget: int | None = None,
        inside: Region | None = None,
        start: tuple[int, ...] | None = None,
        frame: tuple[int, ...] | None = None,
    ) -> ScaledPlan:
        """Return the tiles for an image of `shape` ([Z,] Y, X), or for the part `inside` it.

        An image that is a window begins at `start` of the `frame`; it must hold what `lattice_in` says around `inside`.
        """
        start, frame = start or (0,) * len(shape), frame or tuple(shape)
        inside = inside or tuple(slice(0, length) for length in shape)
        whole = scaled_shape(frame, factor=self.factor)
        seen = tuple(slice(side.start + at, side.stop + at) for side, at in zip(inside, start, strict=True))
        needed = support(seen, shape=whole, factor=1 / self.factor)
        core = tuple(
            slice(side.start // step * step, min(length, -(-side.stop // step) * step))
            for side, length, step in zip(needed, whole, self.lattice.divisor, strict=True)
        )
        window = self.lattice.window(core, shape=whole)
        edges = tuple(side.stop - side.start for side in window)
        scaled = self._predictor.plan(edges, budget=budget, inside=within(core, window))
        return ScaledPlan(tuple(shape), inside, start, frame, window, scaled, self.factor)

    def predict(
        self, image: np.ndarray, *, plan: ScaledPlan | None = None, out: np.ndarray | None = None
    ) -> Generator[TileDone, None, np.ndarray]:
        """Yield progress and return the probabilities of `image` in its own pixels, as `Predictor.predict` does."""
        plan = plan or self.plan(image.shape[1:])
        whole = scaled_shape(plan.frame, factor=self.factor)
        copy = resample(image, region=plan.window, shape=plan.frame, start=plan.start, factor=self.factor)
        first = tuple(side.start + at.start for side, at in zip(plan.scaled.inside, plan.window, strict=True))
        maps = np.empty((self._predictor.target.out_channels, *plan.scaled.written), np.float32)
        out = np.empty((len(maps), *plan.written), np.float32) if out is None else out
        done = 0
        with closing(self._predictor.predict(copy, plan=plan.scaled, out=maps)) as tiles:
            for event in tiles:
                for tile in plan.tiles[done : event.done]:
                    where = plan.target(tile)
                    region = tuple(
                        slice(side.start + inside.start + at, side.stop + inside.start + at)
                        for side, inside, at in zip(where, plan.inside, plan.start, strict=True)
                    )
                    if all(side.start < side.stop for side in where):
                        out[(slice(None), *where)] = resample(
                            maps, region=region, shape=whole, start=first, factor=1 / self.factor
                        )
                done = event.done
                yield event
        return out


def factor_of(card: ModelCard, *, diameter: float | None) -> float:
    """Return by how much an image is enlarged whose objects have this diameter (px); 1: it is taken as it is.

    Raises `InputError` where the model does not know the size of its objects, or the factor is beyond all reason.
    """
    if diameter is None:
        return 1.0
    if card.object_diameter is None:
        raise InputError(
            f"model '{card.name}' does not know how large its objects are, so {diameter:g} px say nothing; "
            "leave the diameter out (--diameter none)"
        )
    factor = card.object_diameter / diameter
    if 1 / ALIKE <= factor <= ALIKE:
        return 1.0
    if not SMALLEST <= factor <= LARGEST:
        low, high = card.object_diameter / LARGEST, card.object_diameter / SMALLEST
        raise InputError(
            f"objects of {diameter:g} px are too far from the {card.object_diameter:.3g} px that model '{card.name}' "
            f"has learnt; give a diameter from {math.ceil(low)} to {math.floor(high)}, or resample the image"
        )
    return factor


def diameter_in(decoding: DecodingConfig) -> float | None:
    """Return the diameter of settings in which 'auto' has been settled (`diameter.settle`)."""
    assert not isinstance(decoding.diameter, str), "settled before"
    return decoding.diameter


def check_diameter(decoding: DecodingConfig, *, card: ModelCard) -> None:
    """Refuse, once for all images, a diameter that the model cannot be brought to."""
    if decoding.diameter != "auto":
        factor_of(card, diameter=decoding.diameter)


def sized(decoding: DecodingConfig, *, card: ModelCard, network: Network) -> DecodingConfig:
    """Return the decoding with sizes in pixels of the image: those that are the model's own follow the diameter.

    Where a 2D model looks along three axes, its own are pixels of a plane, and become voxels.
    """
    factor = factor_of(card, diameter=diameter_in(decoding))
    own, pixels = card.decoding, factor**card.network.ndim
    sizes = {name: getattr(own, name) for name in ("min_size", "min_seed")}
    if isinstance(network, ThreeAxes):
        sizes = {name: _voxels(size, z_step=network.z_step) for name, size in sizes.items()}
    changes = {
        name: round(size / pixels) for name, size in sizes.items() if getattr(decoding, name) == getattr(own, name)
    }
    return decoding.replace(**changes)


def _voxels(pixels: int, *, z_step: int) -> float:
    """Return the voxels of the ball that is as wide as a disc of so many pixels.

    With d = 2 sqrt(pixels / pi) it has (pi / 6) d^3 cubes, and planes that lie `z_step` apart hold as many times fewer.
    """
    return math.pi / 6 * (2 * math.sqrt(pixels / math.pi)) ** 3 / z_step


def scaled(
    predictor: Predictor | ScaledPredictor, *, model: Model, decoding: DecodingConfig
) -> Predictor | ScaledPredictor:
    """Return what predicts images with objects of the diameter that is set: the predictor itself where that fits."""
    factor = factor_of(model.card, diameter=diameter_in(decoding))
    return fitting(predictor, factor=factor)


def fitting(predictor: Predictor | ScaledPredictor, *, factor: float) -> Predictor | ScaledPredictor:
    """Return what predicts on a copy that is `factor` times as large: the predictor itself where that is 1."""
    if factor == 1 or isinstance(predictor, ScaledPredictor):
        return predictor
    return ScaledPredictor(predictor, factor=factor)


def plan_block(
    predictor: Predictor | ScaledPredictor, block: Block, *, frame: tuple[int, ...], budget: int | None
) -> TilePlan | ScaledPlan:
    """Return the tiles of a block of a frame."""
    shape = tuple(side.stop - side.start for side in block.window)
    inside = within(block.seen, block.window)
    if isinstance(predictor, ScaledPredictor):
        start = tuple(side.start for side in block.window)
        return predictor.plan(shape, budget=budget, inside=inside, start=start, frame=frame)
    return predictor.plan(shape, budget=budget, inside=inside)


def lattice_in(lattice: Lattice, *, factor: float) -> Lattice:
    """Return what windows of the image must hold, in its own pixels, for a network with this lattice in scaled ones.

    To what the network looks at come what a pixel is interpolated from, in both grids, and up to the next multiple of
    the divisor.
    """
    if factor == 1:
        return lattice
    reach = max(1.0, factor) + 1
    halo = tuple(
        math.ceil((context + step + reach) / factor + max(1.0, 1 / factor) + 1)
        for context, step in zip(lattice.reach, lattice.divisor, strict=True)
    )
    return Lattice(lattice.divisor, halo)


def copy_bytes(card: ModelCard, *, factor: float) -> float:
    """Return the bytes that scaled copies of image and maps take for each pixel of the image; twice while resampled."""
    if factor == 1:
        return 0.0
    return 2 * 4 * (card.network.in_channels + card.target.out_channels) * max(1.0, factor) ** card.network.ndim
