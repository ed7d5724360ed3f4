"""What a network costs: parameters, and multiplications for a pixel of the image; counted without running it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig

EDGES = {2: (512, 512), 3: (32, 128, 128)}
"""Image for which the multiplications are counted; those of a few layers do not grow with it."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large one network is."""

    parameters: int
    bytes_per_pixel: float
    """Estimate of the float32 maps that are alive at the widest point."""


def size_of(config: NetworkConfig) -> Size:
    """Count on the meta device, where tensors have shapes but no values."""
    with torch.device("meta"):
        network = build(config)
    return Size(sum(value.numel() for value in network.parameters()), 4 * network.maps_per_pixel)


def macs_per_pixel(config: NetworkConfig) -> float:
    """Count the multiplications with addition in convolutions and matrix products, on the meta device too."""
    edges = EDGES[config.ndim]
    with torch.device("meta"):
        network = build(config).eval()
        edges = tuple(-(-edge // step) * step for edge, step in zip(edges, network.divisor, strict=True))
        image = torch.empty(1, config.in_channels, *edges)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.forward_cropped(image, [(0, 0)] * config.ndim)
    count: float = counter.get_total_flops() / 2
    return count / math.prod(edges)
