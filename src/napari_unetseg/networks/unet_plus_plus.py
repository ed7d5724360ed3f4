"""UNet++: a U-Net whose skips are networks themselves, with a head on each of its depths."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import head, initialise
from napari_unetseg.networks.encoders import conv_norm_relu
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig

LEVELS = 4  # poolings


class UNetPlusPlusSettings(Config):
    """Which heads it has, and which one predicts."""

    deep_supervision: bool = Field(True, description="Also train heads on the networks of one to three poolings in it.")
    keep: int = Field(
        LEVELS,
        ge=1,
        le=LEVELS,
        description="Poolings of the network that predicts: less is faster; what lies deeper is trained only.",
    )

    @field_validator("keep")
    @classmethod
    def _check_keep(cls, keep: int, info: ValidationInfo) -> int:
        if keep < LEVELS and not info.data.get("deep_supervision", True):
            raise ValueError(f"{keep} needs deep_supervision, as there is no other head than that of {LEVELS}")
        return keep


class UNetPlusPlus(Network):
    r"""Nodes fill the triangle between encoder and decoder (Zhou et al. 2018, fig. 1a).

    X(i, 0) is two convolutions of X(i-1, 0), pooled; X(i, j) of X(i, 0..j-1) and X(i+1, j-1), enlarged.

    ```
    level 0   X00 ---- X01 ---- X02 ---- X03 ---- X04     heads on X01 .. X04
                \      / \      / \      / \      /
    level 1      X10 ---- X11 ---- X12 ---- X13
                   \      / \      / \      /
    level 2         X20 ---- X21 ---- X22
                      \      / \      /
    level 3            X30 ---- X31
                         \      /
    level 4                X40
    ```

    Enlarged with `align_corners=False`, so that a pixel does not depend on the size of the map: tiles are exact.
    """

    summary: ClassVar[str] = "U-Net with networks in the place of its skips; exact in tiles, can be cut down."
    idea: ClassVar[str] = (
        "Features of encoder and decoder at one resolution mean different things. Small networks stand in the "
        "place of the plain skips and bring the two nearer to each other step by step. What comes out are "
        "U-Nets of one to four poolings in one another, each with a head that learns."
    )
    suits: ClassVar[str] = (
        "For fine or crowded outlines when time does not matter: nearly three times the arithmetic of a "
        "U-Net of the same width. Cut down by `keep`, it predicts faster than it learnt."
    )
    reference: ClassVar[str] = "Zhou et al. 2018, arXiv:1807.10165; Zhou et al. 2019, arXiv:1912.05074"
    Settings: ClassVar[type[Config]] = UNetPlusPlusSettings
    changeable: ClassVar[frozenset[str]] = frozenset({"keep"})
    published_width: ClassVar[int] = 32
    is_tile_exact = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = UNetPlusPlusSettings.model_validate(config.settings)
        self._keep = settings.keep
        self._headed = range(1, LEVELS + 1) if settings.deep_supervision else (LEVELS,)
        widths = [config.width * 2**level for level in range(LEVELS + 1)]
        self.pool = nn.MaxPool2d(2)
        self.nodes = nn.ModuleDict()
        for level, width in enumerate(widths):
            self.nodes[_name(level, 0)] = _node(widths[level - 1] if level else config.in_channels, width)
            for column in range(1, LEVELS - level + 1):
                self.nodes[_name(level, column)] = _node(column * width + widths[level + 1], width)
        self.heads = nn.ModuleList(head(config.width, config.out_channels, ndim=2) for _ in self._headed)
        edge = 2**LEVELS
        radius = reach.radius([2] * self._keep, reach.Looks(is_overlapping=True))  # the way through the deepest node
        self.divisor = (edge, edge)
        self.halo = (-(-radius // edge) * edge,) * 2
        self.maps_per_pixel = 4.0 * self._keep * config.width
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the head that is kept."""
        finest = self._finest(x, columns=self._keep)
        logits: Tensor = self.heads[self._headed.index(self._keep)](finest[self._keep])
        return logits

    def forward_heads(self, x: Tensor) -> Heads:
        """Return the logits of all heads; with equal weights, their losses are those of the paper but for a factor."""
        finest = self._finest(x, columns=LEVELS)
        logits = [one(finest[column]) for one, column in zip(self.heads, self._headed, strict=True)]
        return Heads(logits.pop(self._headed.index(self._keep)), deep=tuple(logits))

    def _finest(self, x: Tensor, *, columns: int) -> list[Tensor]:
        """Return X(0, 0) to X(0, columns); what they do not depend on is not computed."""
        self.check_channels(x)
        self.check_multiple(x)
        rows: list[list[Tensor]] = []
        for level in range(columns + 1):
            x = self.nodes[_name(level, 0)](self.pool(x) if level else x)
            rows.append([x])
            for column in range(1, level + 1):  # along the diagonal, up to the finest level
                row = rows[level - column]
                below = rows[level - column + 1][column - 1]
                up = interpolate(below, scale_factor=2, mode="bilinear", align_corners=False)
                row.append(self.nodes[_name(level - column, column)](torch.cat([*row, up], dim=1)))
        return rows[0]


def _name(level: int, column: int) -> str:
    return f"{level}_{column}"


def _node(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_relu(inputs, outputs, bias=True), conv_norm_relu(outputs, outputs, bias=True))
