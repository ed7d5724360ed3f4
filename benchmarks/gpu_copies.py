"""Section of gpu.py about copies: pinned memory and copies beside the network, against `predict` as it is."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import torch
from gpu_setup import Rows, Setup, Skip, predict, timed

from napari_unetseg.images.tiles import Tile, TilePlan, read_mirrored
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import TargetConfig

Waiting = tuple[Tile, torch.Tensor, torch.cuda.Event]


def copies(setup: Setup) -> Rows:
    """Time an image in memory to maps in memory, with the same tiles each time."""
    if not setup.is_cuda:
        raise Skip("copies to and from a graphics card are what this times")
    image, predictor = setup.image(setup.pick(2048, 8192)), setup.predictor()
    plan = predictor.plan(image.shape[1:])
    predict(predictor, image)
    now, maps = min((timed(lambda: predict(predictor, image)) for _ in range(2)), key=lambda pair: pair[0])
    rows: Rows = [{"copies": "now", "Mpx/s": image.size / 1e6 / now, "time / now": 1.0, "largest difference": 0.0}]
    network = setup.bare(predictor.dtype)
    for name, ahead, dtype in (
        ("pinned", 1, torch.float32),
        ("pinned, beside the network", 3, torch.float32),
        ("pinned, beside the network, float16 maps", 3, torch.float16),
    ):
        pipeline = Pipeline(network, plan, ahead=ahead, dtype=predictor.dtype, given=dtype)
        pipeline.run(image)
        seconds, found = min((timed(lambda one=pipeline: one.run(image)) for _ in range(2)), key=lambda pair: pair[0])
        rows.append({"copies": name, "Mpx/s": image.size / 1e6 / seconds, "time / now": seconds / now})
        rows[-1]["largest difference"] = float(np.abs(found - maps).max())
    return rows


class Pipeline:
    """Tiles through a network on a graphics card, from and to pinned memory, some ahead of the one waited for."""

    def __init__(self, network: Network, plan: TilePlan, *, ahead: int, dtype: torch.dtype, given: torch.dtype) -> None:
        self._network, self._plan, self._dtype, self._given = network, plan, dtype, given
        self._device, self._target = next(network.parameters()).device, TargetConfig()
        reads = max(int(np.prod([side.stop - side.start for side in tile.read])) for tile in plan.tiles)
        writes = max(int(np.prod([side.stop - side.start for side in tile.write])) for tile in plan.tiles)
        self._inputs = [torch.empty(reads, pin_memory=True) for _ in range(ahead)]
        outputs = writes * self._target.out_channels
        self._outputs = [torch.empty(outputs, dtype=given, pin_memory=True) for _ in range(ahead)]
        self._up, self._down = (torch.cuda.Stream(self._device) for _ in range(2))

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the maps of an image (1, Y, X)."""
        out = np.empty((self._target.out_channels, *self._plan.written), np.float32)
        waiting: deque[Waiting] = deque()
        with torch.inference_mode():
            for number, tile in enumerate(self._plan.tiles):
                if len(waiting) == len(self._inputs):
                    self._write(waiting.popleft(), out)
                waiting.append(self._begin(image, tile, slot=number % len(self._inputs)))
            while waiting:
                self._write(waiting.popleft(), out)
        return out

    def _begin(self, image: np.ndarray, tile: Tile, *, slot: int) -> Waiting:
        pixels = torch.from_numpy(read_mirrored(image, plan=self._plan, region=tile.read))[None]
        host = self._inputs[slot][: pixels.numel()].view(pixels.shape)
        host.copy_(pixels)
        compute = torch.cuda.current_stream(self._device)
        with torch.cuda.stream(self._up):
            inputs = host.to(self._device, non_blocking=True)
        compute.wait_stream(self._up)
        inputs.record_stream(compute)
        maps = self._maps(inputs, halos=tile.halos)
        back = self._outputs[slot][: maps.numel()].view(maps.shape)
        self._down.wait_stream(compute)
        with torch.cuda.stream(self._down):
            back.copy_(maps, non_blocking=True)
            maps.record_stream(self._down)
            event = torch.cuda.Event()
            event.record(self._down)
        return tile, back, event

    def _maps(self, inputs: torch.Tensor, *, halos: Any) -> torch.Tensor:
        batch = inputs.to(self._dtype).contiguous(memory_format=torch.channels_last)
        logits = self._network.forward_cropped(batch, halos).float()
        classes = self._target.class_count
        maps = [torch.softmax(logits[:, :classes], dim=1), logits[:, classes:].clamp(0, 1)]
        return torch.cat(maps, dim=1).to(self._given)

    def _write(self, done: Waiting, out: np.ndarray) -> None:
        tile, maps, event = done
        event.synchronize()
        target = self._plan.target(tile)
        inner = [slice(0, side.stop - side.start) for side in target]
        out[(slice(None), *target)] = maps[0].numpy()[(slice(None), *inner)]
