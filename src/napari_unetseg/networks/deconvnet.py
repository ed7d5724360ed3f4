"""DeconvNet: VGG16 with its two fully connected layers, and the mirror image of all of it."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import initialise
from napari_unetseg.networks.encoders import VGG16_STAGES, vgg16_stages, vgg16_widths
from napari_unetseg.networks.mirror import mirror
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.unpooling import layers_of, mirrored_stages, there_and_back
from napari_unetseg.schema.config import NetworkConfig

LEAST = 224
"""Edge of an image whose smallest map is that of the first fully connected layer: 7 pixels."""


class DeconvNet(Network):
    """From 224 pixels to a single one and back: unpooling gives the place, transposed convolutions the shape (fig. 2).

    ```
    encoder 224 - 7     7x7  1     1x1  1     7x7 transposed  7     decoder 7 - 224
            |  places of maxima - - - - - - - - - - - - - - - - - - - -> |
    ```

    Larger images have a larger map in the middle, whose windows of 7 x 7 overlap behind it: `MeanTransposed`. Smaller
    ones are mirrored behind their ends, and what was added is taken off. At width 64 its weights alone take 1 GB. Tiles
    are exact as those of SegNet are.
    """

    summary: ClassVar[str] = (
        "VGG16 with its fully connected layers, and its mirror image; very large: 1 GB at width 64."
    )
    idea: ClassVar[str] = (
        "The whole of VGG16, its two fully connected layers included, is turned round: the places of the "
        "maxima restore the layout of an object, and transposed convolutions draw its shape, from coarse to "
        "fine."
    )
    suits: ClassVar[str] = (
        "Objects that fill much of a patch. The paper shows it one object at a time; for many small cells its "
        "narrow middle is a detour, and it needs large patches."
    )
    reference: ClassVar[str] = "Noh, Hong, Han 2015, arXiv:1505.04366"
    least_batch: ClassVar[int] = 2
    least_patch: ClassVar[int] = LEAST + 32  # smaller ones are mirrored up to `LEAST`, which takes as long
    is_tile_exact = True
    divisor = (32, 32)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width, coarse = config.width, vgg16_widths(config.width)[-1]
        self.encoder = vgg16_stages(config.in_channels, width=width, norm=True)
        self.middle = nn.Sequential(
            _with_norm(nn.Conv2d(coarse, 64 * width, 7)),
            _with_norm(nn.Conv2d(64 * width, 64 * width, 1)),
            _with_norm(MeanTransposed(64 * width, coarse, 7)),
        )
        self.decoder = mirrored_stages(_layer, width=width, ends=VGG16_STAGES[0])
        self.head = nn.Conv2d(width, config.out_channels, 1)
        layers = layers_of(VGG16_STAGES, kernel=3, middle=[reach.Layer(7), reach.Layer(7, is_up=True)])
        halo = reach.halo_of(layers, divisor=self.divisor[0])
        self.halo = (halo, halo)
        self.maps_per_pixel = 6.0 * width + config.out_channels
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`, whose edges are multiples of 32."""
        self.check_channels(x)
        self.check_multiple(x)
        height, width = x.shape[2:]
        for axis in (2, 3):
            x = _at_least(x, LEAST, axis=axis)
        x = there_and_back(x, encoder=self.encoder, middle=self.middle, decoder=self.decoder)
        logits: Tensor = self.head(x[:, :, :height, :width])
        return logits


class MeanTransposed(nn.ConvTranspose2d):
    """A transposed convolution with stride 1 that gives the mean, not the sum, of the windows that overlap in a pixel.

    The paper's images have a single window. Of larger ones 1 (in a corner) to 49 overlap: their sum would grow with the
    image, and what BatchNorm has learnt of patches would not hold for it.
    """

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return maps (N, K, ...), by the kernel's edge - 1 larger than `x`."""
        assert self.bias is not None
        windows = conv_transpose2d(x.new_ones(1, 1, *x.shape[2:]), x.new_ones(1, 1, *self.kernel_size))
        return conv_transpose2d(x, self.weight) / windows + self.bias[:, None, None]


def _layer(inputs: int, outputs: int) -> nn.Module:
    return _with_norm(nn.ConvTranspose2d(inputs, outputs, 3, padding=1))


def _with_norm(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU(inplace=True))


def _at_least(x: Tensor, size: int, *, axis: int) -> Tensor:
    """Mirror `x` behind the end of an axis until it has `size` pixels."""
    if x.shape[axis] >= size:
        return x
    return x.index_select(axis, mirror(torch.arange(size, device=x.device), size=x.shape[axis]))
