"""Fully convolutional networks: class scores of coarse maps, enlarged to the size of the image."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import initialise
from napari_unetseg.networks.encoders import RESNETS, VGG16_STAGES, ResNet, vgg16_stages, vgg16_widths
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig

DROPOUT = 0.5
"""Share of maps left out behind each of the former fully connected layers, as in VGG16 (section 4.3)."""
FIRST_PADDING = 100
"""Zeros around the image, as in the authors' networks: the 7x7 convolution of the smallest map finds enough pixels."""
IMAGE_STARTS = {32: 19, 16: 27, 8: 31}
"""Where the image begins in scores enlarged so many times at last: each score lies amid the pixels it was made of.

For 32: the window of the first score is centred on pixel 12.5 of the image, and its enlargement on 31.5.
"""
SKIP_STARTS = (5, 9)
"""Where, by the same rule, scores enlarged twice begin in those of the fourth and of the third pooling."""


class FCN32s(Network):
    """VGG16, whose fully connected layers become convolutions; their scores are enlarged 32 times (fig. 1).

    ```
    VGG16 - pool3 - pool4 - pool5 - 7x7 - 1x1 - score
              |       |                           |  x2   (FCN-16s)
              |       +---------- score --------- +
              |                                   |  x2   (FCN-8s)
              +------------------ score --------- +
                                                  |  x32, x16 or x8
    ```

    `skips` tells how many poolings have scores of their own. Scores start as 0 and enlarging as bilinear interpolation;
    both learn.
    """

    summary: ClassVar[str] = "VGG16 whose coarse scores are enlarged 32 times: blobs rather than outlines."
    idea: ClassVar[str] = (
        "A network that names whole images names each of their pixels as soon as its fully connected layers "
        "become convolutions. Its scores are coarse, so they are enlarged by transposed convolutions; where "
        "scores of finer maps are added, more detail comes back."
    )
    suits: ClassVar[str] = (
        "To see where semantic segmentation began. A score for 32 x 32 pixels says where something is, not "
        "how its outline runs."
    )
    reference: ClassVar[str] = "Long, Shelhamer, Darrell 2015, arXiv:1411.4038"
    output_stride: ClassVar[int] = 32
    rate_factor: ClassVar[float] = 0.1
    is_tile_exact = True
    skips: ClassVar[int] = 0
    divisor = (32, 32)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width, count = config.width, config.out_channels
        widths = vgg16_widths(width)
        self.encoder = vgg16_stages(config.in_channels, width=width, norm=False, first_padding=FIRST_PADDING)
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.classifier = nn.Sequential(
            nn.Conv2d(widths[-1], 64 * width, 7),
            nn.ReLU(inplace=True),
            nn.Dropout2d(DROPOUT),
            nn.Conv2d(64 * width, 64 * width, 1),
            nn.ReLU(inplace=True),
            nn.Dropout2d(DROPOUT),
        )
        channels = [64 * width, widths[3], widths[2]][: self.skips + 1]
        self.score = nn.ModuleList(nn.Conv2d(inputs, count, 1) for inputs in channels)
        factors = [2] * self.skips + [self.output_stride]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(count, count, 2 * factor, stride=factor, bias=False) for factor in factors
        )
        self.coarsest = 0
        halo = reach.halo_of(_vgg_layers(factors), divisor=self.divisor[0])
        self.halo = (halo, halo)
        self.maps_per_pixel = 6.0 * width + 2.0 * count  # twice the pixels where the image is small: the padding
        initialise(self)
        start_as_interpolation(self.score, self.up)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`, whose edges may have any length."""
        self.check_channels(x)
        size, maps = x.shape[2:], []
        for stage in self.encoder:
            x = self.pool(stage(x))
            maps.append(x)
        scores = self.score[0](self.classifier(x))
        for index in range(self.skips):
            scores = self.up[index](scores)
            skip = self.score[index + 1](maps[3 - index])
            scores = scores + _window(skip, SKIP_STARTS[index], scores.shape[2:])
        return _window(self.up[-1](scores), IMAGE_STARTS[self.output_stride], size)


class FCN16s(FCN32s):
    """FCN-32s with the scores of the fourth pooling."""

    summary: ClassVar[str] = "FCN-32s with the scores of a finer map added."
    suits: ClassVar[str] = "Large regions, such as tissue against background. Cells that touch need finer scores."
    output_stride: ClassVar[int] = 16
    skips: ClassVar[int] = 1


class FCN8s(FCN32s):
    """FCN-32s with the scores of the fourth and the third pooling."""

    summary: ClassVar[str] = "FCN-32s with the scores of two finer maps added: the finest of the three."
    suits: ClassVar[str] = (
        "Regions and large objects. The best of the three for cells, as its scores are the finest; nearly all "
        "of its weights are in the coarsest layers."
    )
    output_stride: ClassVar[int] = 8
    skips: ClassVar[int] = 2


class FCNResNet18(Network):
    """ResNet-18, whose scores are enlarged 32 times by one transposed convolution (Zhang et al., section 14.11)."""

    summary: ClassVar[str] = "ResNet-18 whose coarse scores are enlarged 32 times; light, blobs rather than outlines."
    idea: ClassVar[str] = (
        "A residual encoder, a layer of scores, and a single transposed convolution to the size of the image: "
        "as little as a network for pixels can be."
    )
    suits: ClassVar[str] = (
        "A quick first look at large objects or regions; its outlines are those of a map 32 times coarser."
    )
    reference: ClassVar[str] = "Zhang, Lipton, Li, Smola 2023, Dive into Deep Learning, section 14.11; arXiv:1411.4038"
    output_stride: ClassVar[int] = 32
    is_tile_exact = True
    divisor = (32, 32)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        count = config.out_channels
        self.encoder = ResNet(config.in_channels, name="resnet18", width=config.width)
        self.score = nn.Conv2d(self.encoder.widths[-1], count, 1)
        self.up = nn.ConvTranspose2d(count, count, 64, stride=32, padding=16)
        halo = reach.halo_of(_resnet18_layers(), divisor=self.divisor[0])
        self.halo = (halo, halo)
        self.maps_per_pixel = 2.0 * config.width + 2.0 * count  # the first map has half the edges
        initialise(self)
        start_as_interpolation([self.score], [self.up])

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`, whose edges are multiples of 32."""
        self.check_channels(x)
        self.check_multiple(x)
        logits: Tensor = self.up(self.score(self.encoder(x)[-1]))
        return logits


def start_as_interpolation(scores: Iterable[nn.Module], enlargements: Iterable[nn.Module]) -> None:
    """Make scores 0, and every enlarged class the bilinear interpolation of itself (section 3.3, section 4.3).

    A kernel of size 2 f and stride f is (1 - |y| / f) (1 - |x| / f), with y and x from its centre.
    """
    for layer in [*scores, *enlargements]:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    for layer in enlargements:
        assert isinstance(layer, nn.ConvTranspose2d)
        size, factor = layer.kernel_size[0], layer.stride[0]
        away = (torch.arange(size, device=layer.weight.device) - (size - 1) / 2).abs()
        tent = 1 - away / factor
        with torch.no_grad():
            for index in range(layer.out_channels):
                layer.weight[index, index] = tent[:, None] * tent


def _window(x: Tensor, start: int, size: torch.Size) -> Tensor:
    """Return `size` pixels of (N, C, Y, X) from `start` on along both axes; a view."""
    return x[:, :, start : start + size[0], start : start + size[1]]


def _vgg_layers(factors: list[int]) -> list[reach.Layer]:
    """Return the layers on the way through the smallest map."""
    layers = []
    for count in VGG16_STAGES:
        layers += [reach.Layer(padding=1)] * count + [reach.Layer(2, stride=2)]
    layers[0] = reach.Layer(padding=FIRST_PADDING)
    layers.append(reach.Layer(7))
    layers += [reach.Layer(2 * factor, stride=factor, is_up=True) for factor in factors[:-1]]
    return [*layers, reach.Layer(2 * factors[-1], stride=factors[-1], padding=IMAGE_STARTS[factors[-1]], is_up=True)]


def _resnet18_layers() -> list[reach.Layer]:
    layers = [reach.Layer(7, stride=2, padding=3), reach.Layer(3, stride=2, padding=1)]
    for stage, blocks in enumerate(RESNETS["resnet18"].blocks):
        first = reach.Layer(stride=2 if stage else 1, padding=1)
        layers += [first, *[reach.Layer(padding=1)] * (2 * blocks - 1)]
    return [*layers, reach.Layer(64, stride=32, padding=16, is_up=True)]
