"""The U-Net in two and three dimensions: padded and tile-exact, or unpadded exactly as in the 2015 paper."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.attention import AttentionGate
from napari_unetseg.networks.blocks import (
    crop,
    double_convolution,
    head,
    initialise,
    pooling,
    up_convolution,
    up_interpolation,
)
from napari_unetseg.networks.ladder import Ladder
from napari_unetseg.networks.mirror import mirror
from napari_unetseg.networks.network import Halos
from napari_unetseg.networks.reach import Looks
from napari_unetseg.networks.unet_settings import UNetSettings
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


class UNet(Ladder):
    """Contracting path, expanding path, and skips that join them at every resolution (Ronneberger et al. 2015, fig. 1).

    ```
    level 0   block ------------ skip ----------- block - head
                 pool                           up
    level 1        block ------- skip ----- block
                     pool                 up
    level 2             ----- block -----
    ```
    """

    summary: ClassVar[str] = "Encoder and decoder with skips at every resolution; exact in tiles."
    idea: ClassVar[str] = (
        "One path shrinks the map step by step and learns what there is; the other enlarges it again and "
        "learns where. At each resolution the first hands its features to the second, so that outlines are "
        "drawn from fine detail and wide context at once."
    )
    suits: ClassVar[str] = (
        "The first to try, and the only one here for volumes. Tiles are exact, so images may be larger than memory."
    )
    reference: ClassVar[str] = "Ronneberger, Fischer, Brox 2015, arXiv:1505.04597; Cicek et al. 2016, arXiv:1606.06650"
    Settings: ClassVar[type[Config]] = UNetSettings
    takes: ClassVar[frozenset[str]] = frozenset({"depth", "padding", "norm", "dropout", "flat_levels"})
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = UNetSettings.model_validate(config.settings)
        _check(config, settings=settings)
        depth, ndim = config.depth, config.ndim
        strides = [_stride(level, config=config) for level in range(depth)]
        widths = [config.width * 2**level for level in range(depth + 1)]
        inputs = [config.in_channels, *widths]
        is_sum, is_linear = settings.skips == "sum", settings.upsampling == "bilinear"
        enlarge = up_interpolation if is_linear else up_convolution
        rate = [config.dropout * (level >= depth - 1) for level in range(depth + 1)]
        self.encoder = nn.ModuleList(
            double_convolution(inputs[level], widths[level], config=config, settings=settings, dropout=rate[level])
            for level in range(depth + 1)
        )
        self.pool = nn.ModuleList(pooling(stride) for stride in strides)
        self.up = nn.ModuleList(
            enlarge(widths[level + 1], widths[level], stride=strides[level]) for level in range(depth)
        )
        self.decoder = nn.ModuleList(
            double_convolution(width if is_sum else 2 * width, width, config=config, settings=settings)
            for width in widths[:depth]
        )
        self.gates = nn.ModuleList(AttentionGate(width, ndim=ndim) for width in widths[: depth * settings.attention])
        self.head = head(config.width, config.out_channels, ndim=ndim)
        self._is_sum = is_sum
        is_copied = settings.padding_mode == "reflect"  # for the rim
        self.maps_per_pixel = (8.0 + 2.0 * (settings.attention + settings.residual + is_copied)) * config.width
        self._measure(strides, Looks(is_overlapping=is_linear))
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of all of `x`; unpadded networks return them for its centre, smaller by the margin."""
        return self._forward_valid(x) if self.config.padding == "valid" else super().forward(x)

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos, which must be multiples of the divisor; 0 at the image's border.

        The unpadded network mirrors what the halos lack.
        """
        if self.config.padding == "same":
            return super().forward_cropped(x, halos)
        self.check_channels(x)
        self._check_halos(x, halos)
        return self._forward_mirrored(x, halos)

    def _forward_valid(self, x: Tensor) -> Tensor:
        """Run the paper's network: nothing is padded, skips are cropped about their centre (572 -> 388)."""
        self.check_channels(x)
        self._check_valid(x)
        skips = []
        for block, pool in zip(self.encoder, self.pool, strict=False):
            skips.append(block(x))
            x = pool(skips[-1])
        x = self.encoder[-1](x)
        for level in reversed(range(len(self._strides))):
            x = self.up[level](x)
            excess = [skip - up for skip, up in zip(skips[-1].shape[2:], x.shape[2:], strict=True)]
            skip = crop(skips.pop(), [(total // 2, total - total // 2) for total in excess])
            x = self.decoder[level](self._join(skip, x, level=level))
        logits: Tensor = self.head(x)
        return logits

    def _join(self, skip: Tensor, up: Tensor, *, level: int) -> Tensor:
        if self.gates:
            skip = self.gates[level](skip, up)
        return skip + up if self._is_sum else super()._join(skip, up, level=level)

    def _forward_mirrored(self, x: Tensor, halos: Halos) -> Tensor:
        """Unpadded network on a tile: what the halo lacks at the image's border is mirrored (paper, fig. 2)."""
        surplus = []
        for axis, ((front, back), strides) in enumerate(zip(halos, self._axes, strict=True)):
            size = x.shape[axis + 2]
            wanted = size - front - back
            _, whole = reach.nearest_valid(wanted + 2 * reach.valid_margin(strides), strides)
            need = (whole - wanted) // 2
            surplus.append((need - reach.valid_margin(strides),) * 2)
            positions = torch.arange(front - need, size - back + need, device=x.device)
            x = x.index_select(axis + 2, mirror(positions, size=size))
        return crop(self._forward_valid(x), surplus)

    def _check_valid(self, x: Tensor) -> None:
        sizes = tuple(x.shape[2:])
        nearest = [reach.nearest_valid(size, strides) for size, strides in zip(sizes, self._axes, strict=True)]
        below, above = (tuple(values) for values in zip(*nearest, strict=True))
        if sizes != below:
            raise InputError(
                f"the unpadded U-Net cannot take {sizes} pixels; the nearest sizes it can are {below} and {above}"
            )


def _check(config: NetworkConfig, *, settings: UNetSettings) -> None:
    """Refuse settings that do not go with the others."""
    if config.width % settings.groups:
        wider = -(-config.width // settings.groups) * settings.groups
        raise InputError(
            f"{settings.groups} groups need a width that is a multiple, got {config.width}; use a width of {wider}"
        )
    padded = {
        "residual": settings.residual,
        "upsampling": settings.upsampling == "bilinear",
        "padding_mode": settings.padding_mode == "reflect",
    }
    if config.padding == "valid" and any(padded.values()):
        wrong = next(name for name, is_set in padded.items() if is_set)
        raise InputError(
            f"the unpadded U-Net (padding 'valid') has plain blocks and transposed convolutions only; leave out the "
            f"setting '{wrong}', or use padding 'same'"
        )


def _stride(level: int, *, config: NetworkConfig) -> tuple[int, ...]:
    """Pooling of a level: 2 along each axis, but not along Z in the finest `flat_levels`."""
    return (1 if level < config.flat_levels else 2, 2, 2)[3 - config.ndim :]
