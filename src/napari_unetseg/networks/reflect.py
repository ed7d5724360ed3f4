"""Convolutions that keep the size of a map by mirroring it at its rim, instead of adding zeros."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from napari_unetseg.networks.mirror import mirror


class ReflectConv2d(nn.Conv2d):
    """A 3-wide convolution of the map with a mirrored rim; given no padding of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size of `x`."""
        return super().forward(with_rim(x))


class ReflectConv3d(nn.Conv3d):
    """The same along three axes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of the size of `x`."""
        return super().forward(with_rim(x))


def with_rim(x: Tensor) -> Tensor:
    """Return (N, C, ...) with a pixel more at each end of each spatial axis, that beside the one at the rim.

    ```
    b a b c d c
    ```

    A single pixel along an axis, as in the lowest map of a small image, is repeated: torch would refuse it.
    """
    if min(x.shape[2:]) > 1:
        return pad(x, (1, 1) * (x.ndim - 2), mode="reflect")
    for axis in range(2, x.ndim):
        size = x.shape[axis]
        x = x.index_select(axis, mirror(torch.arange(-1, size + 1, device=x.device), size=size))
    return x
