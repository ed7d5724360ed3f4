"""Convolution blocks in two and three dimensions from one definition."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from napari_unetseg.networks.reflect import ReflectConv2d, ReflectConv3d
from napari_unetseg.networks.unet_settings import PLAIN, UNetSettings
from napari_unetseg.schema.config import NetworkConfig

Convolution = nn.Conv2d | nn.Conv3d
UpConvolution = nn.ConvTranspose2d | nn.ConvTranspose3d


def double_convolution(
    inputs: int, outputs: int, *, config: NetworkConfig, settings: UNetSettings = PLAIN, dropout: float = 0.0
) -> nn.Sequential:
    """Two 3-wide convolutions, each followed by its normalisation and activation, then dropout if asked for.

    In a residual block, what comes in is added before the last activation.
    """
    layers = [*_normalised(convolution(inputs, outputs, config=config, settings=settings), config=config)]
    layers += _activated(outputs, settings=settings)
    layers += _normalised(convolution(outputs, outputs, config=config, settings=settings), config=config)
    if settings.residual:
        layers = [Residual(nn.Sequential(*layers), shortcut=_shortcut(inputs, outputs, config=config))]
    layers += _activated(outputs, settings=settings)
    if dropout:
        layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers)


class Residual(nn.Module):
    """What comes in, added to what a body makes of it (He et al. 2016, eq. 1, 2)."""

    def __init__(self, body: nn.Module, *, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size of `x`."""
        result: Tensor = self.body(x) + self.shortcut(x)
        return result


class ResidualReLU(Residual):
    """The same with ReLU behind (He et al. 2016, fig. 2)."""

    def __init__(self, body: nn.Module, *, shortcut: nn.Module) -> None:
        super().__init__(body, shortcut=shortcut)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size that body and shortcut give."""
        result: Tensor = self.relu(super().forward(x))
        return result


def _shortcut(inputs: int, outputs: int, *, config: NetworkConfig) -> nn.Module:
    """Leave maps as they are, or give them the channels of what they are added to."""
    if inputs == outputs:
        return nn.Identity()
    narrow = pointwise(inputs, outputs, ndim=config.ndim, bias=config.norm == "none")
    return nn.Sequential(*_normalised(narrow, config=config))


def _normalised(layer: Convolution, *, config: NetworkConfig) -> list[nn.Module]:
    if config.norm == "none":
        return [layer]
    return [layer, nn.BatchNorm2d(layer.out_channels) if config.ndim == 2 else nn.BatchNorm3d(layer.out_channels)]


def _activated(channels: int, *, settings: UNetSettings) -> list[nn.Module]:
    """Return the activation; after grouped convolutions the shuffle that lets the next ones see all groups."""
    shuffle = [nn.ChannelShuffle(settings.groups)] if settings.groups > 1 else []
    match settings.activation:
        case "relu":
            return [nn.ReLU(inplace=True), *shuffle]
        case "leaky_relu":
            return [nn.LeakyReLU(inplace=True), *shuffle]
        case "prelu":
            return [nn.PReLU(channels), *shuffle]


def convolution(inputs: int, outputs: int, *, config: NetworkConfig, settings: UNetSettings = PLAIN) -> Convolution:
    """Return a 3-wide convolution; without bias where a BatchNorm, which has its own, follows.

    Channels that cannot be divided into the groups, such as those of an image, are not.
    """
    groups = 1 if inputs % settings.groups else settings.groups
    has_bias = config.norm == "none"
    if settings.padding_mode == "reflect":
        mirroring = ReflectConv2d if config.ndim == 2 else ReflectConv3d
        return mirroring(inputs, outputs, 3, groups=groups, bias=has_bias)
    kind = nn.Conv2d if config.ndim == 2 else nn.Conv3d
    padding = 1 if config.padding == "same" else 0
    return kind(inputs, outputs, 3, padding=padding, groups=groups, bias=has_bias)


def pointwise(inputs: int, outputs: int, *, ndim: int, bias: bool = True) -> Convolution:
    """Return a 1-wide convolution."""
    return nn.Conv2d(inputs, outputs, 1, bias=bias) if ndim == 2 else nn.Conv3d(inputs, outputs, 1, bias=bias)


def head(inputs: int, outputs: int, *, ndim: int) -> Convolution:
    """Return the 1-wide convolution from features to logits."""
    return pointwise(inputs, outputs, ndim=ndim)


def up_convolution(inputs: int, outputs: int, *, stride: tuple[int, ...]) -> UpConvolution:
    """Return a transposed convolution whose kernel is its stride: an output pixel comes from one input pixel."""
    if len(stride) == 2:
        return nn.ConvTranspose2d(inputs, outputs, (stride[0], stride[1]), stride=(stride[0], stride[1]))
    size = (stride[0], stride[1], stride[2])
    return nn.ConvTranspose3d(inputs, outputs, size, stride=size)


def up_interpolation(inputs: int, outputs: int, *, stride: tuple[int, ...]) -> nn.Sequential:
    """Return a 1-wide convolution, then linear interpolation: a pixel comes from its neighbours by 1 and itself.

    The other way round gives the same maps, and takes longer.
    """
    ndim = len(stride)
    enlarge = nn.Upsample(scale_factor=stride, mode="bilinear" if ndim == 2 else "trilinear", align_corners=False)
    return nn.Sequential(pointwise(inputs, outputs, ndim=ndim), enlarge)


def pooling(stride: tuple[int, ...]) -> nn.Module:
    """Maximum over blocks of `stride` pixels."""
    return nn.MaxPool2d(stride) if len(stride) == 2 else nn.MaxPool3d(stride)


def initialise(network: nn.Module) -> None:
    """Draw weights from N(0, 2 / N) with N incoming nodes (Ronneberger et al. 2015, section 3; He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, Convolution | UpConvolution) and not module.weight.is_meta:  # meta: shapes without values
            incoming = module.in_channels // module.groups * math.prod(module.kernel_size)
            if isinstance(
                module, UpConvolution
            ):  # an output pixel sees one input pixel only if the kernel is the stride
                incoming //= math.prod(module.stride)
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
