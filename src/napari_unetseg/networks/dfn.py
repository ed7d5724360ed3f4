"""DFN, the Discriminative Feature Network: one network that keeps objects in one piece, one that finds borders."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from napari_unetseg.networks.blocks import begin_even, head, initialise
from napari_unetseg.networks.encoders import ResNet, conv_norm_relu
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.networks.synopsis import synopsis
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig

STAGES = 4


class DFNSettings(Config):
    """What there is to be set."""

    encoder: Literal["resnet18", "resnet50", "resnet101"] = Field("resnet101", description="Which residual encoder.")


class DFN(Network):
    """Two networks on one encoder (Yu et al. 2018, fig. 2).

    The Smooth Network goes from the mean of the whole image down to stride 4; at each stage the coarser map tells which
    channels of the finer one to take. The Border Network goes the other way; it teaches the encoder where borders are,
    and prediction does without it.

    ```
    border (training)        stages            smooth
    refine ----------- stage 1 (/4)   - refine - attend - refine - head ->
      + - refine x 2 - stage 2 (/8)   - refine - attend - refine x 2      (head, training)
      + - refine x 4 - stage 3 (/16)  - refine - attend - refine x 2      (head, training)
      + - refine x 8 - stage 4 (/32)  - refine - attend - refine x 2      (head, training)
                                                   |
                                           mean of the whole image
    ```
    """

    summary: ClassVar[str] = "Channel attention keeps objects whole, and a second network teaches borders."
    idea: ClassVar[str] = (
        "Two questions, two networks on one encoder. The first goes from the whole image down and chooses at "
        "each stage the channels that fit, so that an object is one thing all over. The second learns "
        "borders, which makes the encoder tell neighbours apart."
    )
    suits: ClassVar[str] = (
        "Objects of uneven texture that other networks break into pieces. Its supervised borders suit "
        'touching cells. Large and slow at its published encoder; `encoder = "resnet18"` makes it lighter.'
    )
    reference: ClassVar[str] = "Yu, Wang, Peng, Gao, Yu, Sang 2018, arXiv:1804.09337"
    seam_error: float | None = 0.0015  # benchmarks/seams.py
    Settings: ClassVar[type[Config]] = DFNSettings
    output_stride: ClassVar[int] = 4
    least_batch: ClassVar[int] = 2

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = DFNSettings.model_validate(config.settings)
        self.encoder = ResNet(config.in_channels, name=settings.encoder, width=config.width, deep_stem=True)
        widths = self.encoder.widths
        self.smooth = _Smooth(widths, 8 * config.width, classes=config.out_channels)
        self.border = _Border(widths, max(2, 21 * config.width // 64))
        self.divisor = self.halo = (32, 32)
        self.maps_per_pixel = 2.5 * config.width + 2 * config.out_channels
        initialise(self)
        begin_even(*self.smooth.heads, *self.border.heads)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        return resize(self.smooth.heads[0](self.smooth(self._stages(x))[0]), x.shape[2:])

    def forward_heads(self, x: Tensor) -> Heads:
        """Return the logits of the finest stage, those of the others, and the borders that each stage tells."""
        stages = self._stages(x)
        finest, *others = [
            resize(one(stage), x.shape[2:]) for one, stage in zip(self.smooth.heads, self.smooth(stages), strict=True)
        ]
        borders = [resize(border, x.shape[2:]) for border in self.border(stages)]
        return Heads(finest, deep=tuple(others), border=tuple(borders))

    def _stages(self, x: Tensor) -> list[Tensor]:
        self.check_channels(x)
        self.check_multiple(x)
        stages: list[Tensor] = self.encoder(x)
        return stages


class _Smooth(nn.Module):
    """From coarse to fine, each stage guided by the one above (section 3.1); and a head for each."""

    def __init__(self, widths: tuple[int, ...], width: int, *, classes: int) -> None:
        super().__init__()
        self.whole = conv_norm_relu(widths[-1], width, 1)
        self.before = nn.ModuleList(_Refine(inputs, width) for inputs in widths)
        self.attend = nn.ModuleList(Attend(width) for _ in widths)
        self.after = nn.ModuleList(_Refine(width, width) for _ in widths)
        self.heads = nn.ModuleList(_head(width, 9 * classes, classes) for _ in widths)

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        """Return the features of each stage, finest first."""
        above = self.whole(synopsis(stages[-1]))
        features: list[Tensor] = []
        for index in reversed(range(STAGES)):
            below = self.before[index](stages[index])
            above = self.after[index](self.attend[index](below, resize(above, below.shape[2:])))
            features.insert(0, above)
        return features


class _Border(nn.Module):
    """From fine to coarse, all at the size of the finest stage (section 3.2); a border map from each."""

    def __init__(self, widths: tuple[int, ...], width: int) -> None:
        super().__init__()
        self.before = nn.ModuleList(_Refine(inputs, width) for inputs in widths)
        self.after = nn.ModuleList(_Refine(width, width) for _ in widths)
        inner = max(2, 9 * width // 21)
        self.heads = nn.ModuleList(_head(width, inner, 1) for _ in widths)

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        """Return the logits (N, 1, Y, X) of borders, from the finest stage on."""
        below, borders = None, []
        for index, stage in enumerate(stages):
            features = resize(self.before[index](stage), stages[0].shape[2:])
            below = self.after[index](features if below is None else below + features)
            borders.append(self.heads[index](below))
        return borders


class _Refine(nn.Module):
    """A 1x1 convolution, and a residual of two 3x3 ones (refinement residual block, fig. 2b)."""

    def __init__(self, inputs: int, width: int, *, relu: bool = True) -> None:
        super().__init__()
        self.project = nn.Conv2d(inputs, width, 1, bias=False)
        self.first = conv_norm_relu(width, width)
        self.last = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined features."""
        x = self.project(x)
        result: Tensor = self.relu(x + self.last(self.first(x)))
        return result


class Attend(nn.Module):
    """Take of each channel of the finer stage what both stages as a whole say (channel attention block, fig. 2c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Conv2d(2 * width, width, 1), nn.ReLU(inplace=True), nn.Conv2d(width, width, 1), nn.Sigmoid()
        )

    def forward(self, below: Tensor, above: Tensor) -> Tensor:
        """Return `below`, each channel times a factor from 0 to 1, plus `above`."""
        result: Tensor = below * self.gate(synopsis(torch.cat([below, above], dim=1))) + above
        return result


def _head(inputs: int, inner: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_Refine(inputs, inner, relu=False), head(inner, outputs, ndim=2))
