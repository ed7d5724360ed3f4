"""A 2D network that sees a volume as planes along all three axes, and gives the mean of what it finds in them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from napari_unetseg.networks.blocks import crop
from napari_unetseg.networks.mean import mean_logits
from napari_unetseg.networks.network import Halos, Network

PARTS = 8
"""The planes of a pass are taken in so many parts: the maps of one are alive at a time."""


class ThreeAxes(Network):
    """Volumes (N, C, Z, Y, X) in, logits (N, K, Z, Y, X) out: of XY, XZ and YZ planes, each a pass of the 2D network.

    `z_step` tells how many pixels of a plane lie between two planes. In XZ and YZ planes Z is interpolated linearly to
    pixels of that size, and the maps of the `z_step` pixels of a plane are averaged. Along Z offsets are multiples of
    what makes them multiples of the 2D divisor when stretched, so that tiles are as exact as those of the 2D network.
    """

    def __init__(self, network: Network, *, z_step: int, classes: int) -> None:
        super().__init__(network.config.replace(ndim=3))
        self.network, self.z_step, self.classes = network, z_step, classes
        divisor = network.divisor[0] // math.gcd(network.divisor[0], z_step)
        neighbour = 1 if z_step > 1 else 0  # what interpolation looks at
        halo = -(-network.halo[0] // z_step) + neighbour
        self.divisor = (divisor, *network.divisor)
        self.halo = (-(-halo // divisor) * divisor, *network.halo)
        self.is_tile_exact, self.seam_error = network.is_tile_exact, network.seam_error
        largest = -(-divisor // PARTS) / divisor  # a part of the XY planes, of which there may be as few as the divisor
        self.maps_per_pixel = network.maps_per_pixel * max(largest, z_step / PARTS) + 4 * (
            self.config.in_channels + self.config.out_channels
        )

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos."""
        self.check_channels(x)
        return mean_logits((self._along(x, halos, axis=axis) for axis in range(3)), classes=self.classes)

    def _along(self, x: Tensor, halos: Halos, *, axis: int) -> Tensor:
        """Return the logits of the planes across `axis`, of which those in the halo are not wanted."""
        wanted = crop(x, [pair if index == axis else (0, 0) for index, pair in enumerate(halos)])
        planes = wanted.movedim(axis + 2, 1)  # (N, P, C, rows, columns)
        inside = [pair for index, pair in enumerate(halos) if index != axis]
        step = 1 if axis == 0 else self.z_step  # else the rows are Z
        inside[0] = (inside[0][0] * step, inside[0][1] * step)
        size = -(-planes.shape[1] // PARTS)
        parts = [
            torch.unflatten(self._of_planes(part.flatten(0, 1), inside, step=step), 0, part.shape[:2])
            for part in torch.split(planes, size, dim=1)
        ]
        return torch.cat(parts, dim=1).movedim(1, axis + 2)  # (N, P, K, ...) to (N, K, Z, Y, X)

    def _of_planes(self, planes: Tensor, halos: Halos, *, step: int) -> Tensor:
        """Return the logits of planes (M, C, rows, columns) whose rows are `step` pixels apart."""
        if step > 1:
            planes = interpolate(planes, scale_factor=(step, 1), mode="bilinear", align_corners=False)
        logits = self.network.forward_cropped(planes.contiguous(memory_format=torch.channels_last), halos)
        return logits if step == 1 else mean_logits(_rows(logits, step=step), classes=self.classes)


def _rows(logits: Tensor, *, step: int) -> Iterator[Tensor]:
    """Yield the first pixel of every plane, the second ones, and so on."""
    for start in range(step):
        yield logits[:, :, start::step]
