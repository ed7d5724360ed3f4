"""Run a network over an image tile by tile: same probabilities as in one pass, whatever the tile, in bounded memory.

Exactness: tiles start at multiples of the network's divisor, read at least its receptive radius more than they write,
and meet zero padding only where the whole (mirror-extended) image ends. Networks that see more than any tile holds
have blended tiles instead, which come near that. See docs/architecture.md.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
import torch

from napari_unetseg.images import blend, tiles
from napari_unetseg.images.tile_groups import edges_of, groups_of, halves_of
from napari_unetseg.images.tiles import Tile, TilePlan
from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.network import Halos, Network
from napari_unetseg.schema.config import TargetConfig, TilingConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.lattice import lattice_of
from napari_unetseg.tasks.streams import side_by_side

logger = logging.getLogger(__name__)

LARGEST_ON_CPU = 512  # as fast as larger ones there, in a quarter of the memory (benchmarks/tiling.py)


class Predictor:
    """A network on a device: normalised images in, probabilities out.

    Out of memory, it goes on with smaller batches, then smaller tiles, then on the CPU; probabilities stay the same.
    Blended tiles keep their size, as their maps depend on it.
    """

    def __init__(self, network: Network, *, target: TargetConfig, tiling: TilingConfig | None = None) -> None:
        self.tiling = tiling or TilingConfig()
        self.lattice = lattice_of(network, tile=self.tiling.tile)
        self.target = target
        self.device = devices.choose_device(self.tiling.device)
        self.dtype = devices.choose_dtype(self.tiling.precision, device=self.device)
        self.batch = self.tiling.batch
        self.limit: int | None = None  # pixels a tile may write at most; found by running out of memory
        self._is_short = False  # of memory for more than one tile at a time
        self._source = network
        self._exact = fold_batch_norm(network)
        self._load()

    def predict(
        self, image: np.ndarray, *, plan: TilePlan | None = None, out: np.ndarray | None = None
    ) -> Generator[TileDone, None, np.ndarray]:
        """Yield progress and return the probabilities of `image`.

        Parameters
        ----------
        image
            Normalised float32 array, `(C, [Z,] Y, X)`.
        plan
            The tiles, in the order in which they are done; none: those of `self.plan`.
        out
            Where the probabilities go, for those who watch the tiles arrive; none: a new array.

        Returns
        -------
        numpy.ndarray
            Float32 `(K, [Z,] Y, X)`: softmax classes, then the distance clipped to [0, 1] if the target has one. Of a
            plan for a part of the image, that part.

        Raises
        ------
        InputError
            The image has other channels or axes than the network reads.
        JobError
            The network gives no finite numbers, or memory runs out with the smallest tile on the CPU.

        """
        config = self._source.config
        if image.ndim != config.ndim + 1 or image.shape[0] != config.in_channels:
            raise InputError(
                f"the model reads {counted(config.in_channels, 'channel')} and {config.ndim} spatial axes, "
                f"got an array of shape {image.shape}; choose channels and axes that fit"
            )
        plan = self.plan(image.shape[1:]) if plan is None else plan
        probability = np.empty((self.target.out_channels, *plan.written), np.float32) if out is None else out
        if plan.overlap:
            probability[...] = 0  # to which tiles are added
        done = 0
        for group in self._finished(image, plan=plan, out=probability):
            done += len(group)
            yield TileDone(done=done, total=len(plan.tiles))
        return probability

    def plan(
        self, shape: tuple[int, ...], *, budget: int | None = None, inside: tuple[slice, ...] | None = None
    ) -> TilePlan:
        """Return the tiles for an image of `shape` ([Z,] Y, X), or for the part `inside` it.

        Those in the works at the same time take `budget` bytes at most; none: a third of what is free.
        """
        network = self._source
        if self.lattice.blend is not None:  # one after the other: sums have an order
            return blend.plan(shape, blend=self.lattice.blend, divisor=network.divisor, inside=inside)
        budget = devices.free_memory(self.device) // 3 // self.batch if budget is None else budget
        written = shape if inside is None else tuple(side.stop - side.start for side in inside)
        tile = self._tile(written, budget=budget)
        plan = tiles.plan(shape, tile=tile, halo=network.halo, divisor=network.divisor, inside=inside)
        return replace(plan, at_once=self._at_once(plan, budget=budget))

    def _at_once(self, plan: TilePlan, *, budget: int) -> int:
        """Return how many tiles are predicted side by side: on a CPU, as many as there are threads and memory for."""
        if self.device.type != "cpu":
            return 1
        largest = max(tiles.volume(tile.read) for tile in plan.tiles) * self.bytes_per_pixel() * self.batch
        return max(1, min(torch.get_num_threads(), len(plan.tiles), int(budget // largest)))

    def _tile(self, shape: tuple[int, ...], *, budget: int) -> tuple[int, ...]:
        network = self._source
        largest = self.tiling.tile or (1024 if self.device.type == "cuda" else LARGEST_ON_CPU)
        return tiles.choose_tile(
            shape,
            divisor=network.divisor,
            halo=network.halo,
            bytes_per_pixel=self.bytes_per_pixel(),
            budget=budget if self.tiling.tile is None else 2**62,  # then the user decides
            largest=largest,
        )

    def bytes_per_pixel(self) -> float:
        """Bytes alive per input pixel at the widest point of the network."""
        return self._source.maps_per_pixel * (2 if self.dtype is torch.bfloat16 else 4)

    def _load(self) -> None:
        network = self._exact
        if self.dtype is torch.bfloat16:
            network = fold_batch_norm(self._source).to(torch.bfloat16)
        self._network = devices.place(network, device=self.device)

    def _finished(self, image: np.ndarray, *, plan: TilePlan, out: np.ndarray) -> Generator[Sequence[Tile], None, None]:
        """Predict all tiles, and yield each group of them that is finished."""
        groups = list(groups_of(plan.tiles, size=self.batch))
        with closing(self._attempts(image, plan=plan, groups=groups, out=out)) as attempts:
            waiting = deque[bool]()
            for group in groups:
                if not (waiting.popleft() if waiting else next(attempts, False)):
                    waiting.extend(attempts)  # first let those end that are in the works: there may be memory for one
                    self._predict_group(image, plan=plan, group=group, out=out)
                yield group

    def _attempts(
        self, image: np.ndarray, *, plan: TilePlan, groups: Sequence[Sequence[Tile]], out: np.ndarray
    ) -> Generator[bool, None, None]:
        """Predict groups side by side, where that helps, and tell of each whether there was memory for it."""

        def attempt(group: Sequence[Tile]) -> bool:
            if not self._is_short and not self._predict_now(image, plan=plan, group=group, out=out):
                logger.warning("out of memory: going on with one tile at a time")
                self._is_short = True
                return False
            return not self._is_short

        if plan.at_once > 1 and self.device.type == "cpu" and not self._is_short:
            yield from side_by_side(attempt, groups, count=plan.at_once)

    def _predict_group(self, image: np.ndarray, *, plan: TilePlan, group: Sequence[Tile], out: np.ndarray) -> None:
        """Predict tiles of one shape; out of memory, divide the group, then the tile, then fall back to the CPU."""
        if len(group) > self.batch or self._is_too_large(group[0]):
            parts: list[Sequence[Tile]] = self._divide(group, plan=plan)
        else:
            if self._predict_now(image, plan=plan, group=group, out=out):
                return
            self._step_down(group)
            parts = [group]
        for part in parts:
            self._predict_group(image, plan=plan, group=part, out=out)

    def _predict_now(self, image: np.ndarray, *, plan: TilePlan, group: Sequence[Tile], out: np.ndarray) -> bool:
        """Predict tiles of one shape in one pass; tell whether there was memory for it."""
        try:
            inputs = np.stack([tiles.read_mirrored(image, plan=plan, region=tile.read) for tile in group])
            values = self._forward(inputs, halos=group[0].halos)
        except (RuntimeError, MemoryError) as error:
            if not devices.is_out_of_memory(error):
                raise
            return False
        for tile, value in zip(group, values, strict=True):
            _write(value, tile=tile, plan=plan, out=out)
        return True

    def _is_too_large(self, tile: Tile) -> bool:
        return self.limit is not None and math.prod(edges_of(tile)) > self.limit

    def _divide(self, group: Sequence[Tile], *, plan: TilePlan) -> list[Sequence[Tile]]:
        if len(group) > self.batch:
            return [group[start : start + self.batch] for start in range(0, len(group), self.batch)]
        network = self._source
        return [
            [part] for tile in group for part in halves_of(tile, plan=plan, halo=network.halo, divisor=network.divisor)
        ]

    def _step_down(self, group: Sequence[Tile]) -> None:
        """After running out of memory: fewer tiles at a time, then smaller ones, then the CPU."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        pixels = math.prod(edges_of(group[0]))
        if len(group) > 1:
            self.batch = len(group) // 2
            logger.warning("out of memory: going on with %d tiles at a time", self.batch)
        elif self.lattice.blend is None and pixels > math.prod(self._source.divisor):
            self.limit = pixels - 1 if self.limit is None else min(self.limit, pixels - 1)
            logger.warning("out of memory: going on with smaller tiles")
        elif self.device.type != "cpu":
            logger.warning("out of memory on %s: going on with the CPU", self.device)
            self.device, self.limit = torch.device("cpu"), None
            self._load()
        else:
            raise JobError(f"out of memory {self._remedy(group[0])}")

    def _remedy(self, tile: Tile) -> str:
        if self.lattice.blend is None:
            return "with the smallest tile on the CPU; close other programs or use a narrower network"
        edges = " x ".join(map(str, edges_of(tile)))
        return f"with a tile of {edges} on the CPU; give a smaller one (--tile), which changes the result a little"

    def _forward(self, batch: np.ndarray, *, halos: Halos) -> np.ndarray:
        """Return the probabilities of a batch `(N, C, [Z,] Y, X)` of inputs, without their halos."""
        values = self._run(self._network, batch, halos=halos, dtype=self.dtype)
        if not np.isfinite(values).all() and self.dtype is not torch.float32:
            logger.warning("numbers overflowed in %s: tile repeated in float32", self.dtype)
            values = self._run(self._exact.to(self.device), batch, halos=halos, dtype=torch.float32)
        if not np.isfinite(values).all():
            raise JobError(
                "the network gives numbers that are not finite; the model is damaged or does not fit the image"
            )
        return values

    def _run(self, network: Network, batch: np.ndarray, *, halos: Halos, dtype: torch.dtype) -> np.ndarray:
        layout = devices.memory_format(network.config.ndim)
        with torch.inference_mode():
            inputs = torch.from_numpy(batch).to(self.device, dtype).contiguous(memory_format=layout)
            logits = network.forward_cropped(inputs, halos).float()
            classes = self.target.class_count
            maps = [torch.softmax(logits[:, :classes], dim=1)]
            if self.target.has_distance:
                maps.append(logits[:, classes:].clamp(0, 1))
            values: np.ndarray = torch.cat(maps, dim=1).cpu().numpy()
            return values


def _write(values: np.ndarray, *, tile: Tile, plan: TilePlan, out: np.ndarray) -> None:
    """Put what `tile` predicted into the image's frame, without the mirrored pixels behind the image."""
    if plan.overlap:
        blend.add(values, tile=tile, plan=plan, out=out)
        return
    target = plan.target(tile)
    source = [slice(0, part.stop - part.start) for part in target]
    out[(slice(None), *target)] = values[(slice(None), *source)]
