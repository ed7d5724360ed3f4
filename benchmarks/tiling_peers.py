"""How other packages take an image through a network in parts, each with the same network and weights.

Everything but the cutting and joining is the same: the network is folded and channels-last, as `Predictor` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from peers import peer
from torch import nn

from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.model import Model

Variant = Callable[[], np.ndarray]
WINDOW = 512
HALO = 32


def peers(model: Model, image: np.ndarray, *, only: str | None = None) -> dict[str, Variant]:
    """Return the ways of the packages that are installed, of an image (1, Y, X) to its probabilities."""
    network = devices.place(fold_batch_norm(model.network), device=torch.device("cpu"))
    found: dict[str, Variant] = {}
    for name, (module, build) in WAYS.items():
        package = peer(module, needs_torchvision=True) if only in (None, name) else None
        if package is not None:
            found[name] = _variant(build(package, network, image), model)
    return found


def _variant(run: Callable[[], torch.Tensor], model: Model) -> Variant:
    def whole() -> np.ndarray:
        with torch.inference_mode():
            return probabilities(run(), model)

    return whole


def probabilities(logits: torch.Tensor, model: Model) -> np.ndarray:
    """Return what `Predictor` returns, from the logits (K, Y, X)."""
    classes = model.card.target.class_count
    maps = [torch.softmax(logits[:classes], dim=0), logits[classes:].clamp(0, 1)]
    return torch.cat(maps).numpy()


def _monai(
    module: SimpleNamespace, network: nn.Module, image: np.ndarray, *, overlap: float
) -> Callable[[], torch.Tensor]:
    batch = torch.from_numpy(image[None]).contiguous(memory_format=torch.channels_last)
    options = {"overlap": overlap, "mode": "gaussian"}
    return lambda: module.sliding_window_inference(batch, WINDOW, 1, network, **options)[0]


def _torch_em(module: SimpleNamespace, network: nn.Module, image: np.ndarray) -> Callable[[], torch.Tensor]:
    def run() -> torch.Tensor:
        output = np.zeros((network.config.out_channels, *image.shape[1:]), np.float32)  # type: ignore[union-attr]
        inner, halo = (WINDOW - 2 * HALO,) * 2, (HALO,) * 2
        options = {"output": output, "preprocess": None, "disable_tqdm": True}
        module.predict_with_halo(image[0], network, ["cpu"], inner, halo, **options)
        return torch.from_numpy(output)

    return run


def _nnunet(module: SimpleNamespace, network: nn.Module, image: np.ndarray) -> Callable[[], torch.Tensor]:
    def run() -> torch.Tensor:
        predictor = module.nnUNetPredictor(use_mirroring=False, device=torch.device("cpu"), allow_tqdm=False)
        predictor.network = network
        predictor.configuration_manager = SimpleNamespace(patch_size=(WINDOW, WINDOW))
        predictor.label_manager = SimpleNamespace(num_segmentation_heads=network.config.out_channels)  # type: ignore[union-attr]
        return predictor.predict_sliding_window_return_logits(torch.from_numpy(image[:, None]))[:, 0].float()

    return run


class _WithStyle(nn.Module):
    """The network as cellpose calls it: its result is a map and a vector."""

    device, dtype = torch.device("cpu"), torch.float32

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.network(batch), torch.zeros(len(batch), 256)


def _cellpose(
    module: SimpleNamespace, network: nn.Module, image: np.ndarray, *, size: int
) -> Callable[[], torch.Tensor]:
    def run() -> torch.Tensor:
        planes = np.moveaxis(image, 0, -1)[None]
        maps, _ = module.run_net(_WithStyle(network).eval(), planes, batch_size=1, bsize=size, tile_overlap=0.1)
        return torch.from_numpy(np.ascontiguousarray(np.moveaxis(maps[0], -1, 0)))

    return run


def _stardist(module: SimpleNamespace, network: nn.Module, image: np.ndarray) -> Callable[[], torch.Tensor]:
    """As StarDist does it: tiles on a grid, with the receptive field around them, which is cut off afterwards."""
    edge, halo = network.divisor[0], network.halo[0]  # type: ignore[union-attr,index]
    padded = np.pad(image[0], [(0, -length % edge) for length in image.shape[1:]], mode="reflect")

    def run() -> torch.Tensor:
        output = torch.empty(network.config.out_channels, *padded.shape)  # type: ignore[union-attr]
        counts = [math.ceil(length / (WINDOW - 2 * halo)) for length in padded.shape]
        for tile, source, target in module.tile_iterator(padded, counts, edge, math.ceil(halo / edge)):
            logits = network(torch.from_numpy(tile)[None, None])[0]
            output[(slice(None), *target)] = logits[(slice(None), *source)]
        return output[:, : image.shape[1], : image.shape[2]]

    return run


Build = Callable[[Any, nn.Module, np.ndarray], Callable[[], torch.Tensor]]
WAYS: dict[str, tuple[str, Build]] = {
    f"MONAI `sliding_window_inference`, {WINDOW}, overlap 0.25, gaussian": (
        "monai.inferers",
        partial(_monai, overlap=0.25),
    ),
    f"MONAI `sliding_window_inference`, {WINDOW}, overlap 0.5, gaussian": (
        "monai.inferers",
        partial(_monai, overlap=0.5),
    ),
    f"torch-em `predict_with_halo`, {WINDOW - 2 * HALO} + 2 x {HALO}": ("torch_em.util.prediction", _torch_em),
    f"nnU-Net `nnUNetPredictor`, {WINDOW}, step 0.5, no mirroring": (
        "nnunetv2.inference.predict_from_raw_data",
        _nnunet,
    ),
    "cellpose `run_net`, 256, overlap 0.1": ("cellpose.core", partial(_cellpose, size=256)),
    f"cellpose `run_net`, {WINDOW}, overlap 0.1": ("cellpose.core", partial(_cellpose, size=WINDOW)),
    f"StarDist (csbdeep `tile_iterator`), {WINDOW}": ("csbdeep.internals.predict", _stardist),
}
