"""Teach a network one image of 64 pixels, which every network must be able to learn by heart."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import LossConfig, TargetConfig

EDGE = 64
BORDER_WEIGHT = 0.1
ENOUGH = 0.95
LOOK_EVERY = 8  # steps


def draw_cell(channels: int) -> tuple[Tensor, Tensor]:
    """Return a bright disc on noise, mirrored four ways (4, channels, 64, 64), and its classes (4, 64, 64).

    Each has a contrast of its own: the means of equal images leave a BatchNorm nothing but rounding.
    """
    y, x = torch.meshgrid(torch.arange(EDGE), torch.arange(EDGE), indexing="ij")
    disc = ((y - 30) ** 2 + (x - 34) ** 2 < 26**2).long()
    classes = torch.stack([disc, disc.flip(-1), disc.flip(-2), disc.flip(-2, -1)])
    contrast = torch.tensor([0.7, 0.9, 1.1, 1.3])[:, None, None, None]
    noise = torch.randn(4, channels, EDGE, EDGE, generator=torch.Generator().manual_seed(0))
    return contrast * classes[:, None] + 0.2 * noise, classes


def overfit(network: Network, *, steps: int = 40, rate: float = 1e-2) -> float:
    """Train with all outputs, at a rate that falls to 0; return the IoU of the disc in evaluation mode.

    It ends before as soon as the network knows enough.
    """
    torch.manual_seed(0)
    images, classes = draw_cell(network.config.in_channels)
    loss_function = SegmentationLoss(LossConfig(kind="cross_entropy"), TargetConfig(kind="semantic"))
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=1.0, end_factor=0.05, total_iters=steps)
    for step in range(1, steps + 1):
        heads = network.train().forward_heads(images)
        loss = loss_function(heads.logits, classes, None, None)
        for logits in heads.deep:
            loss = loss + loss_function(logits, classes, None, None)
        for logits in heads.border:
            loss = loss + BORDER_WEIGHT * loss_function.border(logits, classes)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % LOOK_EVERY == 0 and (reached := _intersection_over_union(network, images, classes)) > ENOUGH:
            return reached
    return _intersection_over_union(network, images, classes)


def _intersection_over_union(network: Network, images: Tensor, classes: Tensor) -> float:
    with torch.inference_mode():
        found = network.eval()(images).argmax(dim=1)
    return float((found & classes).sum() / (found | classes).sum())
