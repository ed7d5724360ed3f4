"""ENet: small maps early, many thin bottlenecks, and a light decoder that unpools."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from napari_unetseg.networks.blocks import initialise
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.unpooling import Switches, pool, unpool
from napari_unetseg.schema.config import NetworkConfig

Activation = Callable[[], nn.Module]

DILATIONS = (2, 4, 8, 16)
"""Of every second bottleneck of a section of the second stage; a plain and a long, thin one (5x1, 1x5) lie between."""
INNER = 4
"""A bottleneck computes with a fourth of its channels."""


class ENet(Network):
    """A large encoder and a small decoder on maps of a half to an eighth of the image's edges (table 1).

    ```
    stem 1/2 - down 1/4 - 4 bottlenecks - down 1/8 - 16 bottlenecks - up 1/4 - 2 bottlenecks - up 1/2 - 1 - head
                |                          | - - - places of maxima - - |                      |
                | - - - - - - - - - - - - - - - - - places of maxima - - - - - - - - - - - - - |
    ```

    The bottlenecks at an eighth look 72 pixels of their map to either side, nearly 600 of the image: more than a halo
    is good for, so it takes images as a whole.
    """

    summary: ClassVar[str] = "Very small: a third of a million numbers, most of the work on small maps."
    idea: ClassVar[str] = (
        "Make the map small at once, work with thin bottlenecks there, spread their kernels to see far, and "
        "spend little on the way up. So a third of a million weights are enough."
    )
    suits: ClassVar[str] = (
        "Where the size of the file comes first. Its many small layers suit graphics cards; on processors it is "
        "slower than its arithmetic promises. Thin or tiny objects are lost early, as nothing but places comes "
        "back from full resolution."
    )
    reference: ClassVar[str] = "Paszke, Chaurasia, Kim, Culurciello 2016, arXiv:1606.02147"
    seam_error: float | None = 0.0025  # benchmarks/seams.py
    published_width: ClassVar[int] = 16
    divisor = (8, 8)
    halo = (8, 8)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width = config.width
        self.stem = _Stem(config.in_channels, width)
        self.down = nn.ModuleList([_Down(width, 4 * width, dropout=0.01), _Down(4 * width, 8 * width, dropout=0.1)])
        plain = [_Bottleneck(4 * width, _square(4 * width), dropout=0.01) for _ in range(4)]
        self.encoder = nn.ModuleList([nn.Sequential(*plain), nn.Sequential(*_section(8 * width), *_section(8 * width))])
        self.up = nn.ModuleList([_Up(8 * width, 4 * width), _Up(4 * width, width)])
        self.decoder = nn.ModuleList([_light(4 * width, count=2), _light(width, count=1)])
        self.head = nn.ConvTranspose2d(width, config.out_channels, 3, stride=2, padding=1, bias=False)
        self.maps_per_pixel = 2.0 * (width + config.out_channels + config.in_channels)  # maps of half the edges
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`, whose edges may have any length from 8 on."""
        self.check_channels(x)
        self.check_least(x)
        size = [x.shape[2], x.shape[3]]
        x = self.stem(x)
        switches = []
        for down, stage in zip(self.down, self.encoder, strict=True):
            x, places = down(x)
            switches.append(places)
            x = stage(x)
        for up, stage in zip(self.up, self.decoder, strict=True):
            x = stage(up(x, switches.pop()))
        logits: Tensor = self.head(x, output_size=size)
        return logits


class _Stem(nn.Module):
    """A convolution beside the pooled image, together `width` channels; of more channels than that the former alone."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        pooled = inputs if inputs < width else 0
        self.convolution = nn.Conv2d(inputs, width - pooled, 3, stride=2, padding=1, bias=False)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1) if pooled else None
        self.after = nn.Sequential(nn.BatchNorm2d(width), nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.convolution(x)] + ([] if self.pool is None else [self.pool(x)])
        result: Tensor = self.after(torch.cat(maps, dim=1))
        return result


class _Bottleneck(nn.Module):
    """What comes in, and what thin maps (1x1, `middle`, 1x1) make of it (fig. 2b)."""

    def __init__(
        self, channels: int, middle: nn.Module, *, dropout: float = 0.1, activation: Activation = nn.PReLU
    ) -> None:
        super().__init__()
        inner = _inner(channels)
        self.body = nn.Sequential(
            _step(nn.Conv2d(channels, inner, 1, bias=False), activation),
            middle,
            _step(nn.Conv2d(inner, channels, 1, bias=False), activation),
            nn.Dropout2d(dropout),
        )
        self.activation = activation()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.activation(x + self.body(x))
        return result


class _Down(nn.Module):
    """A bottleneck to half the edges: maxima, with channels of 0 behind them, and a body that begins with stride 2."""

    def __init__(self, inputs: int, outputs: int, *, dropout: float) -> None:
        super().__init__()
        inner = _inner(inputs)
        self.more = outputs - inputs
        self.body = nn.Sequential(
            _step(nn.Conv2d(inputs, inner, 2, stride=2, bias=False), nn.PReLU),
            _step(nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.PReLU),
            _step(nn.Conv2d(inner, outputs, 1, bias=False), nn.PReLU),
            nn.Dropout2d(dropout),
        )
        self.activation = nn.PReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Switches]:
        maxima, switches = pool(x)
        return self.activation(pad(maxima, (0, 0, 0, 0, 0, self.more)) + self.body(x)), switches


class _Up(nn.Module):
    """A bottleneck to twice the edges: values go back to where the maxima were, and a body with a transposed kernel."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = _inner(inputs)
        self.main = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
        self.before = _step(nn.Conv2d(inputs, inner, 1, bias=False), nn.ReLU)
        self.up = nn.ConvTranspose2d(inner, inner, 2, stride=2, bias=False)
        self.after = nn.Sequential(
            nn.BatchNorm2d(inner),
            nn.ReLU(),
            nn.Conv2d(inner, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.Dropout2d(0.1),
        )
        self.activation = nn.ReLU()

    def forward(self, x: Tensor, switches: Switches) -> Tensor:
        raised = self.up(self.before(x), output_size=list(switches[1]))
        result: Tensor = self.activation(unpool(self.main(x), switches) + self.after(raised))
        return result


def _light(channels: int, *, count: int) -> nn.Sequential:
    """Return plain bottlenecks of the decoder, whose activation is ReLU."""
    middles = [_square(channels, activation=nn.ReLU) for _ in range(count)]
    return nn.Sequential(*(_Bottleneck(channels, middle, activation=nn.ReLU) for middle in middles))


def _section(channels: int) -> list[nn.Module]:
    """Return the eight bottlenecks of a section of the second stage, by their middles."""
    middles: list[nn.Module] = []
    for index, dilation in enumerate(DILATIONS):
        middles.append(_long(channels) if index % 2 else _square(channels))
        middles.append(_square(channels, dilation=dilation))
    return [_Bottleneck(channels, middle) for middle in middles]


def _square(channels: int, *, dilation: int = 1, activation: Activation = nn.PReLU) -> nn.Module:
    inner = _inner(channels)
    return _step(nn.Conv2d(inner, inner, 3, padding=dilation, dilation=dilation, bias=False), activation)


def _long(channels: int) -> nn.Module:
    inner = _inner(channels)
    return nn.Sequential(
        _step(nn.Conv2d(inner, inner, (5, 1), padding=(2, 0), bias=False), nn.PReLU),
        _step(nn.Conv2d(inner, inner, (1, 5), padding=(0, 2), bias=False), nn.PReLU),
    )


def _step(layer: nn.Conv2d, activation: Activation) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), activation())


def _inner(channels: int) -> int:
    return max(1, channels // INNER)
