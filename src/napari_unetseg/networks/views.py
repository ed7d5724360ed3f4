"""A network that looks at mirrored and turned views of an image as well, and gives the mean of what it finds."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from napari_unetseg.networks.mean import mean_logits
from napari_unetseg.networks.network import Halos, Network

View = tuple[int, bool]
"""Quarter turns in the YX plane, then whether X is mirrored."""

VIEWS: dict[int, tuple[View, ...]] = {
    1: ((0, False),),
    2: ((0, False), (0, True)),
    4: ((0, False), (0, True), (2, False), (2, True)),  # all that keep Y and X where they are
    8: tuple((turns, is_mirrored) for turns in range(4) for is_mirrored in (False, True)),
}


class Views(Network):
    """The mean of a network's maps over 2, 4 or 8 views of its input, one after the other.

    A tile lies on the grid of the divisor in the padded image, and so does its mirror image in the mirrored one, as Y
    and X have the same divisor: each view of a tile gives that view of what the whole image gives.
    """

    def __init__(self, network: Network, *, count: int, classes: int) -> None:
        super().__init__(network.config)
        assert network.divisor[-2] == network.divisor[-1]
        self.network, self.views, self.classes = network, VIEWS[count], classes
        self.maps_per_pixel = network.maps_per_pixel
        self.divisor, self.halo = network.divisor, network.halo
        self.is_tile_exact, self.seam_error = network.is_tile_exact, network.seam_error
        self.tile_edge = network.tile_edge

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos."""
        return mean_logits(self._passes(x, halos), classes=self.classes)

    def _passes(self, x: Tensor, halos: Halos) -> Iterator[Tensor]:
        for turns, is_mirrored in self.views:
            view, turned = torch.rot90(x, turns, dims=(-2, -1)), _turned(halos, turns=turns, is_mirrored=is_mirrored)
            logits = self.network.forward_cropped(view.flip(-1) if is_mirrored else view, turned)
            yield torch.rot90(logits.flip(-1) if is_mirrored else logits, -turns, dims=(-2, -1))


def _turned(halos: Halos, *, turns: int, is_mirrored: bool) -> list[tuple[int, int]]:
    """Return the halos of a view: a quarter turn makes X, backwards, the new Y, and Y the new X."""
    *others, y, x = halos
    for _ in range(turns):
        y, x = x[::-1], y
    return [*others, y, x[::-1] if is_mirrored else x]
