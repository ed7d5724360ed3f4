"""Whether an architecture can learn at all: a few cells of one image, by heart."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


def overfit(config: NetworkConfig, *, steps: int = 40, rate: float = 1e-2) -> float:
    """Train on two squares and a bar in 64 x 64 px of noise; return the IoU of the foreground that is found then.

    The averages of BatchNorm forget fast and the rate falls to 0, so that they are those of the weights in the end.
    The image is learnt together with its mirror image: alone, the smallest maps have too few pixels for BatchNorm.
    """
    torch.manual_seed(0)
    network = build(config).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.5
    truth = torch.zeros(1, 64, 64, dtype=torch.long)
    truth[:, 8:28, 10:30] = truth[:, 36:58, 6:26] = truth[:, 20:50, 40:56] = 1
    image = truth[:, None] + 0.3 * torch.randn(1, config.in_channels, 64, 64)
    images, truths = torch.cat([image, image.flip(3)]), torch.cat([truth, truth.flip(2)])
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimiser.zero_grad()
        heads = network.forward_heads(images)
        loss = cross_entropy(heads.logits, truths)
        for logits in heads.deep:
            loss = loss + network.deep_weight * cross_entropy(logits, truths)
        loss.backward()
        optimiser.step()
    with torch.inference_mode():
        found = network.eval()(image).argmax(dim=1)
    return float((found & truth).sum() / (found | truth).sum())
