"""U2-Net: a U-Net whose every stage is itself a small U-Net; and its light version."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from napari_unetseg.networks.blocks import initialise
from napari_unetseg.networks.encoders import conv_norm_relu
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.schema.config import NetworkConfig

FLAT = (1, 2, 4, 8)  # dilations, in the place of poolings


class _Stage(NamedTuple):
    """A small U-Net: how many layers it goes down, and its channels inside and in the end, in 1/4 of the width."""

    depth: int
    middle: int
    outputs: int
    is_flat: bool = False


_DOWN = (
    _Stage(7, 2, 4),
    _Stage(6, 2, 8),
    _Stage(5, 4, 16),
    _Stage(4, 8, 32),
    _Stage(4, 16, 32, is_flat=True),
    _Stage(4, 16, 32, is_flat=True),
)
_UP = (_Stage(7, 1, 4), _Stage(6, 2, 4), _Stage(5, 4, 8), _Stage(4, 8, 16), _Stage(4, 16, 32, is_flat=True))
"""Finest first (Qin et al. 2020, table 1)."""


class U2Net(Network):
    r"""Six stages down, five up, each a small U-Net; a side output of each decoder stage, and all fused (fig. 5).

    ```
    En1 ------------------ De1 - side 1 \
      En2 -------------- De2 --- side 2  \
        En3 ---------- De3 ----- side 3   fuse - logits
          En4 ------ De4 ------- side 4  /
            En5 -- De5 --------- side 5 /
              En6 -------------- side 6
    ```

    It takes images of any size, and looks at all of an image of usual size: tiles are blended.
    """

    summary: ClassVar[str] = "A U-Net of U-Nets: much context."
    idea: ClassVar[str] = (
        "Each stage of a U-Net is a small U-Net itself, whose result is added to what came in. So even the "
        "first stage sees far at full resolution. Every stage of the decoder says what it thinks, and a last "
        "layer weighs what they say."
    )
    suits: ClassVar[str] = "For objects of very different sizes, or large ones with fine outlines."
    reference: ClassVar[str] = "Qin et al. 2020, arXiv:2005.09007"
    tile_edge = 256
    seam_error: float | None = 0.0098  # benchmarks/seams.py
    _down: ClassVar[tuple[_Stage, ...]] = _DOWN
    _up: ClassVar[tuple[_Stage, ...]] = _UP

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.divisor = self.halo = (1, 1)
        self.coarsest = 32
        self.maps_per_pixel = 7.0 * config.width + 13.0 * config.out_channels
        outputs = [_channels(stage.outputs, config=config) for stage in self._down]
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.encoder = nn.ModuleList(
            _stage(inputs, stage, config=config)
            for inputs, stage in zip((config.in_channels, *outputs[:-1]), self._down, strict=True)
        )
        below = [_channels(stage.outputs, config=config) for stage in self._up[1:]] + outputs[-1:]
        self.decoder = nn.ModuleList(
            _stage(low + skip, stage, config=config)
            for low, skip, stage in zip(below, outputs[:-1], self._up, strict=True)
        )
        sides = [_channels(stage.outputs, config=config) for stage in self._up] + outputs[-1:]
        classes = config.out_channels
        self.side = nn.ModuleList(nn.Conv2d(channels, classes, 3, padding=1) for channels in sides)
        self.fuse = nn.Conv2d(len(sides) * classes, classes, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of all side outputs together."""
        return self.forward_heads(x).logits

    def forward_heads(self, x: Tensor) -> Heads:
        """Return the fused logits, and those of the six side outputs."""
        self.check_channels(x)
        size, skips = x.shape[2:], []
        for level, stage in enumerate(self.encoder):
            x = stage(self.pool(x) if level else x)
            skips.append(x)
        logits = [resize(self.side[-1](skips.pop()), size)]
        for stage, side in zip(reversed(self.decoder), reversed(self.side[:-1]), strict=True):
            skip = skips.pop()
            x = stage(torch.cat([resize(x, skip.shape[2:]), skip], dim=1))
            logits.append(resize(side(x), size))
        logits.reverse()
        return Heads(self.fuse(torch.cat(logits, dim=1)), deep=tuple(logits))


class U2NetLite(U2Net):
    """U2-Net with all stages of one width (U2-Net-dagger of the paper: 1.1 instead of 44 million parameters)."""

    summary: ClassVar[str] = "U2-Net with a fortieth of its parameters: much context."
    idea: ClassVar[str] = (
        "U2-Net with few channels in every stage, the same on all resolutions: the form matters more than the width."
    )
    suits: ClassVar[str] = (
        "As U2-Net, where a small model file is wanted. The arithmetic at full resolution, and with it most "
        "of the time, remains."
    )
    seam_error = 0.088  # benchmarks/seams.py
    _down: ClassVar[tuple[_Stage, ...]] = tuple(stage._replace(middle=1, outputs=4) for stage in _DOWN)
    _up: ClassVar[tuple[_Stage, ...]] = tuple(stage._replace(middle=1, outputs=4) for stage in _UP)


class ResidualU(nn.Module):
    """A small U-Net, and what comes into it, convolved once, added to what comes out (paper, fig. 2e: RSU).

    Maps are enlarged to the size of their skip with `align_corners=False`, so any size comes back.
    """

    def __init__(self, inputs: int, middle: int, outputs: int, *, depth: int, is_flat: bool) -> None:
        super().__init__()
        dilations = FLAT if is_flat else (*[1] * (depth - 1), 2)
        self.pool = nn.Identity() if is_flat else nn.MaxPool2d(2, ceil_mode=True)
        self.first = conv_norm_relu(inputs, outputs, bias=True)
        self.down = nn.ModuleList(
            conv_norm_relu(middle if level else outputs, middle, dilation=dilation, bias=True)
            for level, dilation in enumerate(dilations)
        )
        self.up = nn.ModuleList(
            conv_norm_relu(2 * middle, middle if level else outputs, dilation=dilation, bias=True)
            for level, dilation in enumerate(dilations[:-1])
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size of `x`."""
        first: Tensor = self.first(x)
        x = self.down[0](first)
        skips = [x]
        for layer in self.down[1:-1]:
            x = layer(self.pool(x))
            skips.append(x)
        x = self.down[-1](x)
        for layer in reversed(self.up):
            skip = skips.pop()
            x = layer(torch.cat([resize(x, skip.shape[2:]), skip], dim=1))
        return x + first


def _stage(inputs: int, stage: _Stage, *, config: NetworkConfig) -> ResidualU:
    middle, outputs = (_channels(quarters, config=config) for quarters in (stage.middle, stage.outputs))
    return ResidualU(inputs, middle, outputs, depth=stage.depth, is_flat=stage.is_flat)


def _channels(quarters: int, *, config: NetworkConfig) -> int:
    return max(1, config.width * quarters // 4)
