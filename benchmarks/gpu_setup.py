"""What the sections of gpu.py share: the device, how much time is left, images and networks."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.images.tiles import TilePlan
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.overlap import count_overlaps
from napari_unetseg.networks import registry
from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig, TargetConfig, TilingConfig
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor

Rows = list[dict[str, Any]]
PART = 2048
"""Edge of the simulated image that larger ones repeat."""


class Skip(Exception):  # noqa: N818  (no error)
    """A section that cannot run here, and why."""


@dataclass(frozen=True)
class Setup:
    """Where the sections run, and until when."""

    device: torch.device
    is_small: bool
    deadline: float

    @property
    def left(self) -> float:
        """Seconds until the budget is spent."""
        return self.deadline - time.monotonic()

    @property
    def is_cuda(self) -> bool:
        """Whether there is a graphics card."""
        return self.device.type == "cuda"

    def pick(self, small: Any, full: Any) -> Any:
        """Return the first in the short form, else the second."""
        return small if self.is_small else full

    @functools.cached_property
    def model(self) -> Model:
        """The bundled model."""
        return load_model("nuclei")

    @functools.cached_property
    def base(self) -> NetworkConfig:
        """The network whose speed is compared with its roofline: 32 maps at full resolution, four poolings."""
        return NetworkConfig(width=self.pick(8, 32), depth=4, out_channels=TargetConfig().out_channels)

    @functools.cached_property
    def part(self) -> np.ndarray:
        """A simulated image (1, Y, X), normalised."""
        edge = self.pick(512, PART)
        raw, _ = simulate((edge, edge), seed=5)
        stretch = normalize.measure([raw[None]], config=self.model.card.normalization)
        return normalize.apply(raw[None], stretch=stretch)

    def image(self, edge: int) -> np.ndarray:
        """Return a normalised image (1, edge, edge), the simulated one repeated."""
        count = -(-edge // self.part.shape[1])
        return np.ascontiguousarray(np.tile(self.part, (1, count, count))[:, :edge, :edge])

    def predictor(
        self, network: Network | None = None, *, tile: int | None = None, batch: int = 1, precision: str = "bfloat16"
    ) -> Predictor:
        """Return a predictor on the device; without a network, of the one for the roofline."""
        tiling = TilingConfig.model_validate(
            {"tile": tile, "batch": batch, "precision": precision, "device": str(self.device)}
        )
        return Predictor(network or self.network, target=TargetConfig(), tiling=tiling)

    @functools.cached_property
    def network(self) -> Network:
        """The network for the roofline, with random weights."""
        torch.manual_seed(0)
        return registry.build(self.base).eval()

    def bare(self, dtype: torch.dtype) -> Network:
        """Return that network as it is run: folded, channels-last, on the device."""
        return devices.place(fold_batch_norm(self.network).to(dtype), device=self.device)

    def labels(self, maps: np.ndarray) -> np.ndarray:
        """Decode maps as the bundled model says."""
        return decode(np.ascontiguousarray(maps), config=self.model.card.decoding, target=self.model.card.target)


@contextmanager
def float32_as(*, tf32: bool) -> Iterator[None]:
    """Let float32 be computed with the short mantissas of TF32, or not; torch takes them in convolutions by default."""
    convolution, product = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolution.allow_tf32, product.allow_tf32
    convolution.allow_tf32 = product.allow_tf32 = tf32
    try:
        yield
    finally:
        convolution.allow_tf32, product.allow_tf32 = before


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds and the result of something that ends on the host."""
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def predict(predictor: Predictor, image: np.ndarray) -> np.ndarray:
    """Return all probabilities."""
    return finish(predictor.predict(image))


def difference(labels: np.ndarray, reference: np.ndarray) -> float:
    """Return the share of the objects of both maps that have not exactly the same pixels in the other."""
    pairs = count_overlaps(reference, labels)
    total = len(pairs.first_ids) + len(pairs.second_ids) - 2
    return 1 - 2 * int(np.count_nonzero(pairs.iou == 1)) / max(1, total)


def windows(plan: TilePlan) -> list[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]]:
    """Return the input edges and halos of each tile of a plan."""
    return [(tuple(side.stop - side.start for side in tile.read), tile.halos) for tile in plan.tiles]
