"""FANet with fast attention: every pixel looks at every other, at a cost that grows with the pixels alone."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from napari_unetseg.networks.blocks import begin_even, initialise
from napari_unetseg.networks.encoders import ResNet, conv_norm
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig


class FANetSettings(Config):
    """What there is to be set."""

    encoder: Literal["resnet18", "resnet34"] = Field("resnet18", description="Which residual encoder.")


class FANet(Network):
    """Attention on every stage of an encoder that halves once more than usual (Hu et al. 2021).

    ```
    stage 1 (/8)   attend - + --------------- smooth - concat - 3x3 - head -> x 8
    stage 2 (/16)  attend - + - up x 2                   |
    stage 3 (/32)  attend - + - up x 2 ------ smooth - x 4
    stage 4 (/64)  attend ----- up x 2
    ```

    The authors' program holds three layers more (739,904 parameters as published) that nothing ever reads.
    """

    summary: ClassVar[str] = "Attention over the whole image without its usual cost; fast."
    idea: ClassVar[str] = (
        "In attention every pixel asks every other one, which is too much for an image. Without the softmax "
        "the products can be taken in another order, and the cost grows with the pixels only. So each stage "
        "of the encoder looks at the whole image."
    )
    suits: ClassVar[str] = "Fast, with context from everywhere; regions and large objects. Logits have a stride of 8."
    reference: ClassVar[str] = "Hu, Perazzi, Heilbron, Wang, Lin, Saenko, Sclaroff 2021, arXiv:2007.03815"
    seam_error: float | None = 0.0040  # benchmarks/seams.py
    Settings: ClassVar[type[Config]] = FANetSettings
    output_stride: ClassVar[int] = 8

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = FANetSettings.model_validate(config.settings)
        self.encoder = ResNet(config.in_channels, name=settings.encoder, width=config.width, first_stride=2)
        widths, smooth = self.encoder.widths, 2 * config.width
        keys = max(1, config.width // 2)
        self.attend = nn.ModuleList(FastAttention(width, keys=keys) for width in widths)
        self.up = nn.ModuleList(_layer(width, width // 2, 1) for width in widths[1:])
        self.smooth = nn.ModuleList(_layer(width, smooth, 3) for width in (widths[0], widths[2]))
        self.last = _layer(2 * smooth, 4 * config.width, 3)
        self.head = nn.Conv2d(4 * config.width, config.out_channels, 1, bias=False)
        self.divisor = self.halo = (64, 64)
        self.maps_per_pixel = config.width + 2.0 * config.out_channels
        initialise(self)
        begin_even(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        self.check_channels(x)
        self.check_multiple(x)
        stages = [attend(stage) for attend, stage in zip(self.attend, self.encoder(x), strict=True)]
        for index, up in reversed(list(enumerate(self.up))):
            stages[index] = stages[index] + resize(up(stages[index + 1]), stages[index].shape[2:])
        fine, coarse = (smooth(stages[index]) for smooth, index in zip(self.smooth, (0, 2), strict=True))
        features = torch.cat([resize(coarse, fine.shape[2:]), fine], dim=1)
        return resize(self.head(self.last(features)), x.shape[2:])


class FastAttention(nn.Module):
    """Add to each pixel the values of all pixels, weighted by how alike their keys and its query are (eq. 4).

    With queries Q and keys K of length 1 and without a softmax, (Q K^T) V = Q (K^T V): no pixel is compared with each
    other. Divided by the number of pixels, as in the paper, so that images of any size give numbers of one size.
    """

    def __init__(self, width: int, *, keys: int) -> None:
        super().__init__()
        self.query = conv_norm(width, keys, 1)
        self.key = conv_norm(width, keys, 1)
        self.value = _layer(width, width, 1)
        self.project = _layer(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` with what the whole image adds to it."""
        query, key, value = (one(x).flatten(2) for one in (self.query, self.key, self.value))
        found = attend(normalize(query, dim=1), normalize(key, dim=1), value)
        result: Tensor = self.project(found.reshape(x.shape)) + x
        return result


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Return V K^T Q / n for queries and keys (N, D, n) and values (N, C, n) of n pixels: shape (N, C, n)."""
    return (value @ key.transpose(1, 2) / query.shape[2]) @ query


def _layer(inputs: int, outputs: int, kernel: int) -> nn.Sequential:
    return conv_norm(inputs, outputs, kernel, activation=nn.LeakyReLU(inplace=True))
