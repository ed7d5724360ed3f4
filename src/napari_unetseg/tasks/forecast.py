"""How much memory and time a segmentation takes: bytes from the tile plan, time from short passes of the network."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.images.budget import available_memory, readable
from napari_unetseg.images.large import DECODE_BYTES, LABEL_BYTES
from napari_unetseg.images.rescale import scaled_shape
from napari_unetseg.images.simulate import simulate
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.tiles import Tile, TilePlan, volume
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.measure import measure_objects
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.events import Event
from napari_unetseg.tasks.blockwise import Job, kind_of
from napari_unetseg.tasks.lattice import seams
from napari_unetseg.tasks.layout import lay_out
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.scaled import ScaledPredictor, copy_bytes

EDGES = {2: (384, 384), 3: (32, 96, 96)}
"""Pixels of the calibration image: a second's work for the bundled model on two cores."""
LARGE = {2: (4096, 4096), 3: (512, 512, 512)}
"""An image of many tiles, by which is known how many are predicted side by side."""
REPEATS = 3
ENOUGH = 0.3  # seconds after which a pass is not repeated
JOINING = 0.3
"""Seconds that joining and writing of blocks take for each second of decoding them."""
AMPLE = 2**62


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds per pixel on one device, as measured."""

    read: float
    """Per pixel a tile reads: the way down the U."""
    written: float
    """Per pixel a tile writes: the way up, of which the halo is left out."""
    decoded: float
    """Per pixel of the image: contrast, decoding and measuring of objects."""
    device: str
    precision: str

    def of_views(self, count: int) -> Pace:
        """Return the pace of a network that looks at so many views of every pixel."""
        return replace(self, read=self.read * count, written=self.written * count)

    def corrected(self, factor: float) -> Pace:
        """Return the pace of a run that took `factor` times what was forecast."""
        factor = min(max(factor, 0.1), 10.0)
        return replace(self, read=self.read * factor, written=self.written * factor, decoded=self.decoded * factor)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a run will need; `labels` are the bytes of the result, which are part of `memory`."""

    memory: int
    labels: int
    available: int
    seconds: float
    slowdown: float
    """Time over the time with tiles of the usual size; above 1 where memory allows only smaller ones."""
    pace: Pace
    seams: str = ""
    """That tiles are blended, and what that changes; empty where they are exact, or the image is one tile."""

    @property
    def fits(self) -> bool:
        """Whether it can run at all."""
        return self.memory <= self.available

    @property
    def advice(self) -> str:
        """What to know about it before starting; empty if there is nothing."""
        if not self.fits:
            return (
                f"needs {readable(self.memory)}, {readable(self.available)} are free: "
                "choose a smaller region, or less memory (--memory), so that it goes block by block onto disk"
            )
        if self.slowdown > 1.05:
            return f"little memory is free: runs in smaller tiles, about {100 * (self.slowdown - 1):.0f} % slower"
        return self.seams


def calibrate(predictor: Predictor, *, model: Model) -> Generator[Event, None, Pace]:
    """Time the model's predictor on simulated cells, and what follows it; yields between the passes."""
    network, channels = model.network, model.card.network.in_channels
    shape = _round_up(EDGES[model.card.network.ndim], network.divisor)
    cells = simulate(shape, seed=0)[0][None]
    pixels = math.prod(shape)

    began = time.perf_counter()
    image = normalize.apply(cells, stretch=normalize.measure([cells], config=model.card.normalization))
    contrast = time.perf_counter() - began
    image = np.repeat(image, channels, axis=0)

    count = predictor.plan(LARGE[model.card.network.ndim]).at_once
    whole, middle = (_single_tile(shape, network=network, is_cropped=is_cropped) for is_cropped in (False, True))
    all_written, maps = yield from _time(predictor, image, plan=whole, count=count)
    part_written, _ = yield from _time(predictor, image, plan=middle, count=count)
    saved = pixels - volume(middle.tiles[0].write)
    written = min(max(0.0, (all_written - part_written) / max(1, saved)), all_written / pixels)

    began = time.perf_counter()
    measure_objects(decode(maps, config=model.card.decoding, target=model.card.target), image, scale={})
    after = time.perf_counter() - began
    return Pace(
        read=all_written / pixels - written,
        written=written,
        decoded=(after + channels * contrast) / pixels,
        device=predictor.device.type,
        precision=str(predictor.dtype).removeprefix("torch."),
    )


def forecast(source: ImageSource, *, predictor: Predictor | ScaledPredictor, model: Model, pace: Pace) -> Forecast:
    """Return what segmenting `source` will take, with the labels in memory; nothing is read."""
    factor = predictor.factor if isinstance(predictor, ScaledPredictor) else 1.0
    ndim = model.card.network.ndim
    shape = tuple(source.sizes[letter] for letter in "ZYX"[3 - ndim :])
    pixels, frames = math.prod(shape), source.sizes["T"] * (source.sizes["Z"] if ndim == 2 else 1)
    plan: Any = predictor.plan(shape)  # of the kind that this predictor takes
    seconds, usual = (
        _seconds(one, pace=pace) + pixels * pace.decoded for one in (plan, predictor.plan(shape, budget=AMPLE))
    )
    labels = LABEL_BYTES * frames * pixels
    maps = pixels * 4 * (model.card.target.out_channels + 2 * model.card.network.in_channels)
    maps += round(pixels * copy_bytes(model.card, factor=factor))
    return Forecast(
        memory=labels + maps + max(pixels * DECODE_BYTES, _network_bytes(predictor, plan=plan, model=model)),
        labels=labels,
        available=available_memory(),
        seconds=frames * seconds,
        slowdown=seconds / usual,
        pace=pace,
        seams=_seams(shape, predictor=predictor, model=model),
    )


def forecast_blocks(
    source: ImageSource,
    *,
    predictor: Predictor | ScaledPredictor,
    model: Model,
    pace: Pace,
    memory: int,
    channels: Sequence[int],
    diameter: float | None = None,
) -> Forecast:
    """Return what segmenting `source` block by block will take, with the labels on disk; nothing is read."""
    layout = lay_out(source, model=model, channels=channels, memory=memory, diameter=diameter, tiling=predictor.tiling)
    job = Job(source, model, predictor, model.card.decoding, channels, memory)
    kinds = [kind_of(block, is_scaled=isinstance(predictor, ScaledPredictor)) for block in layout.blocks]
    alike = dict(zip(kinds, layout.blocks, strict=True))
    counts = Counter(kinds)
    seconds = sum(
        counts[kind] * (_seconds(job.plan(block), pace=pace) + volume(block.seen) * (1 + JOINING) * pace.decoded)
        for kind, block in alike.items()
    )
    return Forecast(
        memory=memory,
        labels=0,
        available=available_memory(),
        seconds=len(layout.frames) * seconds,
        slowdown=1.0,
        pace=pace,
        seams=_seams(layout.shape, predictor=predictor, model=model),
    )


def _seams(shape: tuple[int, ...], *, predictor: Predictor | ScaledPredictor, model: Model) -> str:
    factor = predictor.factor if isinstance(predictor, ScaledPredictor) else 1.0
    return seams(model.network, predictor.lattice, shape=scaled_shape(shape, factor=factor))


def _time(
    predictor: Predictor, image: np.ndarray, *, plan: TilePlan, count: int
) -> Generator[Event, None, tuple[float, np.ndarray]]:
    """Return the seconds a tile takes in the fastest pass, and its maps; the tile is predicted `count` times at once.

    The first pass of a shape is slow, others may be disturbed.
    """
    plan = replace(plan, tiles=plan.tiles * count, at_once=count)
    times: list[float] = []
    while len(times) < 2 or (len(times) < REPEATS and sum(times) < ENOUGH):
        began = time.perf_counter()
        maps = yield from predictor.predict(image, plan=plan)
        times.append((time.perf_counter() - began) / count)
    return min(times), maps


def _single_tile(shape: tuple[int, ...], *, network: Network, is_cropped: bool) -> TilePlan:
    """Return one tile that reads all and writes all, or about the middle half of each axis."""
    write = []
    for length, step in zip(shape, network.divisor, strict=True):
        margin = length // 4 // step * step if is_cropped else 0
        write.append(slice(margin, length - margin))
    whole = tuple(slice(0, length) for length in shape)
    return TilePlan(shape=shape, padded=shape, tiles=(Tile(read=whole, write=tuple(write)),), inside=whole)


def _seconds(plan: Any, *, pace: Pace) -> float:
    return sum(pace.read * volume(tile.read) + pace.written * volume(tile.gives) for tile in plan.tiles)


def _network_bytes(predictor: Predictor | ScaledPredictor, *, plan: Any, model: Model) -> int:
    """Return the host's share of what the network takes: its weights, and on the CPU the maps of the largest tile."""
    weights = 4 * sum(value.numel() for value in model.network.parameters())
    if predictor.device.type == "cuda":
        return weights
    window: int = max(volume(tile.read) for tile in plan.tiles)
    taken: float = window * predictor.bytes_per_pixel() * predictor.batch * plan.at_once
    return 2 * weights + round(taken)


def _round_up(shape: tuple[int, ...], divisor: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-length // step) * step for length, step in zip(shape, divisor, strict=True))
