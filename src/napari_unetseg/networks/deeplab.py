"""DeepLab V3 and V3+: dilated convolutions at several rates side by side, and for V3+ a decoder for borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from napari_unetseg.networks.blocks import begin_even, head, initialise
from napari_unetseg.networks.encoders import ResNet, conv_norm_relu
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.networks.synopsis import synopsis
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig

DROPOUT = 0.1
DILATIONS = {16: (1, 1, 1, 2), 8: (1, 1, 2, 4)}
"""Of the four stages of the encoder, by its output stride."""
RATES = {16: (6, 12, 18), 8: (12, 24, 36)}
"""Of the pyramid, in pixels of the last map, so that both look equally far in the image (Chen et al. 2017, 3.3)."""


class DeepLabSettings(Config):
    """What there is to be set."""

    encoder: Literal["resnet18", "resnet50", "resnet101"] = Field("resnet50", description="Which residual encoder.")
    output_stride: Literal[8, 16] = Field(
        16, description="Pixels (px) of the image for one of the encoder's last map; 8 is finer and needs more memory."
    )


class _DeepLab(Network):
    """A residual encoder that keeps its resolution, and the pyramid on its last map."""

    Settings: ClassVar[type[Config]] = DeepLabSettings
    least_batch: ClassVar[int] = 2

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = DeepLabSettings.model_validate(config.settings)
        stride = settings.output_stride
        self.encoder = ResNet(
            config.in_channels, name=settings.encoder, width=config.width, dilations=DILATIONS[stride]
        )
        self.pyramid = Pyramid(self.encoder.widths[-1], 4 * config.width, rates=RATES[stride])
        self.divisor = self.halo = (stride, stride)
        self.maps_per_pixel = (32.0 / stride) * config.width + 2 * config.out_channels


class DeepLabV3(_DeepLab):
    """The logits of the pyramid, enlarged.

    ```
    stages 1 - 2 - 3 - 4     strides 4, 8, 16, 16 (or 8 from the second on)
                       |
                    pyramid - 3x3 - head ->  x 16 (8)
    ```
    """

    summary: ClassVar[str] = "Dilated convolutions at several rates and the whole image's mean; smooth outlines."
    idea: ClassVar[str] = (
        "Instead of shrinking the map further, the last stages spread their kernels: dilated convolutions see "
        "more at the same resolution. A pyramid then looks at several distances side by side, and at the "
        "image as a whole."
    )
    suits: ClassVar[str] = (
        "Objects whose kind shows in their surroundings, and classes of regions. Outlines come from a map 16 "
        "times coarser and are smooth."
    )
    reference: ClassVar[str] = "Chen, Papandreou, Schroff, Adam 2017, arXiv:1706.05587"
    seam_error: float | None = 0.0060  # benchmarks/seams.py
    output_stride: ClassVar[int] = 16

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width = 4 * config.width
        self.last = conv_norm_relu(width, width)
        self.head = head(width, config.out_channels, ndim=2)
        initialise(self)
        begin_even(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        self.check_channels(x)
        self.check_multiple(x)
        features = self.pyramid(self.encoder(x)[-1])
        return resize(self.head(self.last(features)), x.shape[2:])


class DeepLabV3Plus(_DeepLab):
    """The same pyramid, joined with the finest map of the encoder, which knows where borders are.

    ```
    stages 1 - 2 - 3 - 4
           |           |
          1x1       pyramid
           |           | x 4 (2)
           +-- concat -+- 3x3 - head ->  x 4
    ```
    """

    summary: ClassVar[str] = "DeepLab V3 with a decoder that adds fine features, for sharper borders."
    idea: ClassVar[str] = (
        "DeepLab V3 with a light decoder: the enlarged pyramid meets a fine map of the encoder, which brings "
        "borders back."
    )
    suits: ClassVar[str] = "As DeepLab V3 where outlines matter; small cells still ask for more than its stride of 4."
    reference: ClassVar[str] = "Chen, Zhu, Papandreou, Schroff, Adam 2018, arXiv:1802.02611"
    seam_error: float | None = 0.0021  # benchmarks/seams.py
    output_stride: ClassVar[int] = 4

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width, fine = 4 * config.width, max(1, 3 * config.width // 4)  # 256 and 48 as published
        self.fine = conv_norm_relu(self.encoder.widths[0], fine, 1)
        self.last = conv_norm_relu(width + fine, width)
        self.head = head(width, config.out_channels, ndim=2)
        initialise(self)
        begin_even(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        self.check_channels(x)
        self.check_multiple(x)
        maps = self.encoder(x)
        fine = self.fine(maps[0])
        coarse = resize(self.pyramid(maps[-1]), fine.shape[2:])
        return resize(self.head(self.last(torch.cat([coarse, fine], dim=1))), x.shape[2:])


class Pyramid(nn.Module):
    """What lies around a pixel at several distances, and in the whole image (Chen et al. 2017, fig. 5)."""

    def __init__(self, inputs: int, width: int, *, rates: Sequence[int]) -> None:
        super().__init__()
        self.near = conv_norm_relu(inputs, width, 1)
        self.far = nn.ModuleList(conv_norm_relu(inputs, width, dilation=rate) for rate in rates)
        self.whole = conv_norm_relu(inputs, width, 1)
        self.join = conv_norm_relu((len(rates) + 2) * width, width, 1)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x: Tensor) -> Tensor:
        """Return the joined features of `x`, at its size."""
        whole = self.whole(synopsis(x)).expand(-1, -1, *x.shape[2:])
        features = torch.cat([self.near(x), *(far(x) for far in self.far), whole], dim=1)
        result: Tensor = self.dropout(self.join(features))
        return result
