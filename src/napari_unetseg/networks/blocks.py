"""Convolution blocks in two and three dimensions from one definition."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from napari_unetseg.schema.config import NetworkConfig

Convolution = nn.Conv2d | nn.Conv3d
UpConvolution = nn.ConvTranspose2d | nn.ConvTranspose3d


def double_convolution(inputs: int, outputs: int, *, config: NetworkConfig, dropout: float = 0.0) -> nn.Sequential:
    """Two 3-wide convolutions, each followed by its normalisation and ReLU, then dropout if asked for."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers.append(convolution(channels, outputs, config=config))
        if config.norm == "batch":
            layers.append(nn.BatchNorm2d(outputs) if config.ndim == 2 else nn.BatchNorm3d(outputs))
        layers.append(nn.ReLU(inplace=True))
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


def convolution(inputs: int, outputs: int, *, config: NetworkConfig) -> Convolution:
    """Return a 3-wide convolution; without bias where a BatchNorm, which has its own, follows."""
    kind = nn.Conv2d if config.ndim == 2 else nn.Conv3d
    padding = 1 if config.padding == "same" else 0
    return kind(inputs, outputs, 3, padding=padding, bias=config.norm == "none")


def head(inputs: int, outputs: int, *, ndim: int) -> Convolution:
    """Return the 1-wide convolution from features to logits."""
    return nn.Conv2d(inputs, outputs, 1) if ndim == 2 else nn.Conv3d(inputs, outputs, 1)


def up_convolution(inputs: int, outputs: int, *, stride: tuple[int, ...]) -> UpConvolution:
    """Return a transposed convolution whose kernel is its stride: an output pixel comes from one input pixel."""
    if len(stride) == 2:
        return nn.ConvTranspose2d(inputs, outputs, (stride[0], stride[1]), stride=(stride[0], stride[1]))
    size = (stride[0], stride[1], stride[2])
    return nn.ConvTranspose3d(inputs, outputs, size, stride=size)


def pooling(stride: tuple[int, ...]) -> nn.Module:
    """Maximum over blocks of `stride` pixels."""
    return nn.MaxPool2d(stride) if len(stride) == 2 else nn.MaxPool3d(stride)


def initialise(network: nn.Module) -> None:
    """Draw weights from N(0, 2 / N) with N incoming nodes (Ronneberger et al. 2015, section 3; He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, Convolution | UpConvolution) and not module.weight.is_meta:  # meta: shapes without values
            is_up = isinstance(module, UpConvolution)  # an output pixel sees one input pixel only
            incoming = module.in_channels if is_up else module.in_channels * math.prod(module.kernel_size)
            nn.init.normal_(module.weight, std=math.sqrt(2 / incoming))
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def begin_even(*heads: nn.Module) -> None:
    """Draw the last convolution's weights from N(0, 0.01^2): every class begins about as probable as the others.

    For networks whose logits are sums of features that nothing normalises (Lin et al. 2017, section 4.1).
    """
    for one in heads:
        *_, last = (module for module in one.modules() if isinstance(module, Convolution | UpConvolution))
        nn.init.normal_(last.weight, std=0.01)


def crop(x: Tensor, cut: Sequence[tuple[int, int]]) -> Tensor:
    """Take off `cut` pixels in front of and behind each spatial axis of (N, C, ...); a view."""
    for axis, (front, back) in enumerate(cut, start=2):
        x = x.narrow(axis, front, x.shape[axis] - front - back)
    return x
