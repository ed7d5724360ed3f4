"""SegNet: a decoder that puts values back to where the encoder's maxima were, and fills in between."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import initialise
from napari_unetseg.networks.encoders import VGG16_STAGES, conv_norm, conv_norm_relu, vgg16_stages
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.unpooling import layers_of, mirrored_stages, there_and_back
from napari_unetseg.schema.config import NetworkConfig


class _Unpooling(Network):
    """Stages with a pooling behind each, then stages with an unpooling before each, and a head.

    ```
    encoder[0] - pool - - - - places of maxima - - - - unpool - decoder[-1] - head
              encoder[1] - pool - - - - - - - unpool - decoder[-2]
                        encoder[2] - pool - unpool - decoder[-3]
    ```

    Tiles are exact as long as rounding leaves every maximum where it is. Two values that are equal but for the last
    digit may change places in a tile of another size; that takes a block of evenly bright pixels.
    """

    is_tile_exact = True

    encoder: nn.ModuleList
    decoder: nn.ModuleList
    head: nn.Module

    def __init__(self, config: NetworkConfig, *, looks: tuple[int, ...], kernel: int) -> None:
        super().__init__(config)
        edge = 2 ** len(looks)
        self.divisor = (edge, edge)
        halo = reach.halo_of(layers_of(looks, kernel=kernel), divisor=edge)
        self.halo = (halo, halo)
        self.maps_per_pixel = 6.0 * config.width + config.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`, whose edges may have any length from the divisor on."""
        self.check_channels(x)
        self.check_least(x)
        logits: Tensor = self.head(there_and_back(x, encoder=self.encoder, decoder=self.decoder))
        return logits


class SegNet(_Unpooling):
    """The convolutions of VGG16 with BatchNorm, and their mirror image (Badrinarayanan et al. 2017, fig. 2)."""

    summary: ClassVar[str] = "VGG16 and its mirror image; values return to where the maxima were: sharp outlines."
    idea: ClassVar[str] = (
        "When a maximum is taken over a block of pixels, its place is kept. The decoder puts values back to "
        "those places and fills what lies between by convolutions. That takes nothing to learn and little "
        "memory, and edges stay where they were."
    )
    suits: ClassVar[str] = (
        "Sharp outlines at moderate memory, in tiles that are exact. Features of the encoder do not reach the "
        "decoder, only their places; a U-Net has both."
    )
    reference: ClassVar[str] = "Badrinarayanan, Kendall, Cipolla 2017, arXiv:1511.00561"

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, looks=VGG16_STAGES, kernel=3)
        self.encoder = vgg16_stages(config.in_channels, width=config.width, norm=True)
        self.decoder = mirrored_stages(_layer, width=config.width, ends=VGG16_STAGES[0] - 1)
        self.head = nn.Conv2d(config.width, config.out_channels, 3, padding=1)
        initialise(self)


class SegNetBasic(_Unpooling):
    """Four 7x7 convolutions down and four up, all of one width; no ReLU in the decoder ("SegNet-Basic")."""

    summary: ClassVar[str] = "A small SegNet: four wide convolutions down and four up, sharp outlines."
    idea: ClassVar[str] = (
        "Four wide convolutions down and four up, all with the same few channels, joined by the places of the maxima."
    )
    suits: ClassVar[str] = "One of the lightest and fastest to train; simple, well separated objects."
    reference: ClassVar[str] = SegNet.reference

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config, looks=(1, 1, 1, 1), kernel=7)
        width = config.width
        inputs = (config.in_channels, width, width, width)
        self.encoder = nn.ModuleList(conv_norm_relu(channels, width, 7, bias=True) for channels in inputs)
        self.decoder = nn.ModuleList(conv_norm(width, width, 7, bias=True) for _ in inputs)
        self.head = nn.Conv2d(width, config.out_channels, 1)
        initialise(self)


def _layer(inputs: int, outputs: int) -> nn.Module:
    return conv_norm_relu(inputs, outputs, bias=True)
