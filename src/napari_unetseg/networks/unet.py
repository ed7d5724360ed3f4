"""The U-Net in two and three dimensions: padded and tile-exact, or unpadded exactly as in the 2015 paper."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import crop, double_convolution, head, initialise, pooling, up_convolution
from napari_unetseg.networks.mirror import mirror
from napari_unetseg.networks.network import Halos, Network
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


class UNet(Network):
    """Contracting path, expanding path, and skips that join them at every resolution (Ronneberger et al. 2015, fig. 1).

    ```
    level 0   block ------------ skip ----------- block - head
                 pool                           up
    level 1        block ------- skip ----- block
                     pool                 up
    level 2             ----- block -----
    ```
    """

    summary: ClassVar[str] = "Encoder and decoder with skips at every resolution; exact in tiles, 2D and 3D."
    reference: ClassVar[str] = "Ronneberger, Fischer, Brox 2015, arXiv:1505.04597; Cicek et al. 2016, arXiv:1606.06650"
    takes: ClassVar[frozenset[str]] = frozenset({"depth", "padding", "norm", "dropout", "flat_levels"})
    dimensions: ClassVar[tuple[int, ...]] = (2, 3)
    is_tile_exact = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        depth, ndim = config.depth, config.ndim
        self._strides = [_stride(level, config=config) for level in range(depth)]
        widths = [config.width * 2**level for level in range(depth + 1)]
        inputs = [config.in_channels, *widths]
        self.encoder = nn.ModuleList(
            double_convolution(
                inputs[level], widths[level], config=config, dropout=config.dropout * (level >= depth - 1)
            )
            for level in range(depth + 1)
        )
        self.pool = nn.ModuleList(pooling(stride) for stride in self._strides)
        self.up = nn.ModuleList(
            up_convolution(widths[level + 1], widths[level], stride=self._strides[level]) for level in range(depth)
        )
        self.decoder = nn.ModuleList(
            double_convolution(2 * widths[level], widths[level], config=config) for level in range(depth)
        )
        self.head = head(config.width, config.out_channels, ndim=ndim)
        self._measure()
        initialise(self)

    def _measure(self) -> None:
        """Derive all sizes from the strides; `_before` and `_after` hold the decoder's margins as [level][axis]."""
        axes = [list(strides) for strides in zip(*self._strides, strict=True)]
        margins = [reach.decoder_margins(strides) for strides in axes]
        self._axes = axes
        self._before = list(zip(*(before for before, _ in margins), strict=True))
        self._after = list(zip(*(after for _, after in margins), strict=True))
        self.divisor = tuple(math.prod(strides) for strides in axes)
        self.halo = tuple(reach.halo(strides) for strides in axes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of all of `x`; unpadded networks return them for its centre, smaller by the margin."""
        if self.config.padding == "valid":
            return self._forward_valid(x)
        return self.forward_cropped(x, [(0, 0)] * self.config.ndim)

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos, which must be multiples of the divisor; 0 at the image's border.

        Nearly all of the halo serves the encoder. The decoder needs a few pixels of each level only, so every map is
        cropped to those before its block: exact tiles for about the price of an untiled pass.
        """
        self.check_channels(x)
        if self.config.padding == "same":
            self.check_multiple(x)
        self._check_halos(x, halos)
        if self.config.padding == "valid":
            return self._forward_mirrored(x, halos)
        have, skips = list(halos), []
        for level, stride in enumerate(self._strides):
            x = self.encoder[level](x)
            skips.append(_crop_to(x, have, self._before[level]))
            x = self.pool[level](x)
            have = [(front // step, back // step) for (front, back), step in zip(have, stride, strict=True)]
        x, have = _crop_to(self.encoder[-1](x), have, self._after[-1])
        for level in reversed(range(len(self._strides))):
            have = [(front * step, back * step) for (front, back), step in zip(have, self._strides[level], strict=True)]
            skip, want = skips.pop()
            joined = torch.cat([skip, _crop_to(self.up[level](x), have, self._before[level])[0]], dim=1)
            del skip
            x, have = _crop_to(self.decoder[level](joined), want, self._after[level])
        logits: Tensor = self.head(x)
        return logits

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
            x = self.decoder[level](torch.cat([skip, x], dim=1))
        logits: Tensor = self.head(x)
        return logits

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

    def _check_halos(self, x: Tensor, halos: Halos) -> None:
        wanted = [size - front - back for size, (front, back) in zip(x.shape[2:], halos, strict=True)]
        for (front, back), size, step in zip(halos, wanted, self.divisor, strict=True):
            if min(front, back) < 0 or front % step or back % step or size <= 0 or size % step:
                raise InputError(
                    f"halos and what they enclose must be multiples of {self.divisor}, got halos {list(halos)} "
                    f"for an input of {tuple(x.shape[2:])}; plan the tiles with this divisor"
                )

    def _check_valid(self, x: Tensor) -> None:
        sizes = tuple(x.shape[2:])
        nearest = [reach.nearest_valid(size, strides) for size, strides in zip(sizes, self._axes, strict=True)]
        below, above = (tuple(values) for values in zip(*nearest, strict=True))
        if sizes != below:
            raise InputError(
                f"the unpadded U-Net cannot take {sizes} pixels; the nearest sizes it can are {below} and {above}"
            )


def _stride(level: int, *, config: NetworkConfig) -> tuple[int, ...]:
    """Pooling of a level: 2 along each axis, but not along Z in the finest `flat_levels`."""
    return (1 if level < config.flat_levels else 2, 2, 2)[3 - config.ndim :]


def _crop_to(x: Tensor, have: Halos, want: tuple[int, ...]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Crop halos to at most `want` pixels; return the map with the halos that are left."""
    left = [(min(front, most), min(back, most)) for (front, back), most in zip(have, want, strict=True)]
    cut = [(have[axis][0] - left[axis][0], have[axis][1] - left[axis][1]) for axis in range(len(left))]
    return crop(x, cut), left
