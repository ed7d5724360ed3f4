"""Encoder and decoder joined at every resolution, exact in tiles: what the U-Net and those built like it share."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import crop
from napari_unetseg.networks.network import Halos, Network
from napari_unetseg.networks.reach import PLAIN, Looks
from napari_unetseg.schema.errors import InputError


class Ladder(Network):
    """A subclass builds the layers, calls `_measure`, and may say how skip and decoder join.

    ```
    level 0   encoder ------ skip ------ decoder - head
                 pool                  up
    level 1        encoder - skip - decoder
                     pool         up
    level 2             encoder
    ```
    """

    encoder: nn.ModuleList
    pool: nn.ModuleList
    up: nn.ModuleList
    decoder: nn.ModuleList
    head: nn.Module
    is_tile_exact = True

    def _measure(self, strides: Sequence[tuple[int, ...]], looks: Looks = PLAIN) -> None:
        """Derive all sizes from the strides; `_before` and `_after` hold the decoder's margins as [level][axis]."""
        axes = [list(along) for along in zip(*strides, strict=True)]
        margins = [reach.decoder_margins(along, looks) for along in axes]
        self._strides = list(strides)
        self._axes = axes
        self._before = list(zip(*(before for before, _ in margins), strict=True))
        self._after = list(zip(*(after for _, after in margins), strict=True))
        self.divisor = tuple(math.prod(along) for along in axes)
        self.halo = tuple(reach.halo(along, looks) for along in axes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of all of `x`."""
        return self.forward_cropped(x, [(0, 0)] * self.config.ndim)

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos, which must be multiples of the divisor; 0 at the image's border.

        Nearly all of the halo serves the encoder. The decoder needs a few pixels of each level only, so every map is
        cropped to those before its block: exact tiles for about the price of an untiled pass.
        """
        self.check_channels(x)
        self.check_multiple(x)
        self._check_halos(x, halos)
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
            joined = self._join(skip, _crop_to(self.up[level](x), have, self._before[level])[0], level=level)
            del skip
            x, have = _crop_to(self.decoder[level](joined), want, self._after[level])
        return crop(self.head(x), have)

    def _join(self, skip: Tensor, up: Tensor, *, level: int) -> Tensor:
        """Return what the decoder's block of a level reads; `skip` and `up` have one size."""
        return torch.cat([skip, up], dim=1)

    def _check_halos(self, x: Tensor, halos: Halos) -> None:
        wanted = [size - front - back for size, (front, back) in zip(x.shape[2:], halos, strict=True)]
        for (front, back), size, step in zip(halos, wanted, self.divisor, strict=True):
            if min(front, back) < 0 or front % step or back % step or size <= 0 or size % step:
                raise InputError(
                    f"halos and what they enclose must be multiples of {self.divisor}, got halos {list(halos)} "
                    f"for an input of {tuple(x.shape[2:])}; plan the tiles with this divisor"
                )


def _crop_to(x: Tensor, have: Halos, want: tuple[int, ...]) -> tuple[Tensor, list[tuple[int, int]]]:
    """Crop halos to at most `want` pixels; return the map with the halos that are left."""
    left = [(min(front, most), min(back, most)) for (front, back), most in zip(have, want, strict=True)]
    cut = [(have[axis][0] - left[axis][0], have[axis][1] - left[axis][1]) for axis in range(len(left))]
    return crop(x, cut), left
