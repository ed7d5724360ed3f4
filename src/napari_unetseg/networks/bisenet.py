"""BiSeNet: a short path that keeps detail beside a deep one that sees context."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from napari_unetseg.networks.blocks import begin_even, head, initialise
from napari_unetseg.networks.encoders import ResNet, conv_norm, conv_norm_relu
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.networks.synopsis import synopsis
from napari_unetseg.schema.config import NetworkConfig


class BiSeNet(Network):
    """Two paths to stride 8, fused by how much each channel matters in this image (Yu et al. 2018, fig. 2).

    ```
    detail   7x7 /2 - 3x3 /2 - 3x3 /2 - 1x1 ----------------------+
                                                                fuse - 3x3 - head ->  x 8
    context  ResNet-18: /4 - /8 - /16 ---- attend - + - x 2 - 3x3 +
                                   |                |
                                  /32 --- attend - + - x 2 - 3x3
                                   |               |
                                  mean of the whole image
    ```

    While it learns, both maps of the context path have a head of their own.
    """

    summary: ClassVar[str] = "A short path for detail beside a deep one for context; fast."
    idea: ClassVar[str] = (
        "Detail and context ask for opposite things, so each has a path of its own: one short and wide at an "
        "eighth of the image, one deep that shrinks quickly. They meet in a module that chooses channels by "
        "the whole image."
    )
    suits: ClassVar[str] = (
        "Fast segmentation of objects some tens of pixels wide. Logits have a stride of 8, too coarse for "
        "small or crowded cells."
    )
    reference: ClassVar[str] = "Yu, Wang, Peng, Gao, Yu, Sang 2018, arXiv:1808.00897"
    seam_error: float | None = 0.0017  # benchmarks/seams.py
    output_stride: ClassVar[int] = 8
    least_batch: ClassVar[int] = 2

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width, classes = config.width, config.out_channels
        self.detail = nn.Sequential(
            conv_norm_relu(config.in_channels, width, 7, stride=2),
            conv_norm_relu(width, width, stride=2),
            conv_norm_relu(width, width, stride=2),
            conv_norm_relu(width, 2 * width, 1),
        )
        self.encoder = ResNet(config.in_channels, name="resnet18", width=width)
        self.whole = conv_norm_relu(8 * width, 2 * width, 1)
        self.attend = nn.ModuleList(_Attend(inputs, 2 * width) for inputs in self.encoder.widths[-2:])
        self.refine = nn.ModuleList(conv_norm_relu(2 * width, 2 * width) for _ in range(2))
        self.fuse = _Fuse(4 * width)
        self.head = _head(4 * width, 4 * width, classes)
        self.early = nn.ModuleList(_head(2 * width, width, classes) for _ in range(2))
        self.divisor = self.halo = (32, 32)
        self.maps_per_pixel = config.width + 2.0 * classes
        initialise(self)
        begin_even(self.head, *self.early)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        return resize(self.head(self._features(x)[-1]), x.shape[2:])

    def forward_heads(self, x: Tensor) -> Heads:
        """Return the logits, and those of both maps of the context path."""
        *context, fused = self._features(x)
        deep = [resize(early(one), x.shape[2:]) for early, one in zip(self.early, context, strict=True)]
        return Heads(resize(self.head(fused), x.shape[2:]), deep=tuple(deep))

    def _features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the maps of the context path at strides 16 and 8, and what is fused at stride 8."""
        self.check_channels(x)
        self.check_multiple(x)
        _, finest, fine, coarse = self.encoder(x)
        above = self.attend[1](coarse) + self.whole(synopsis(coarse))
        at_16 = self.refine[1](resize(above, fine.shape[2:]))
        at_8 = self.refine[0](resize(self.attend[0](fine) + at_16, finest.shape[2:]))
        return at_16, at_8, self.fuse(torch.cat([self.detail(x), at_8], dim=1))


class _Attend(nn.Module):
    """Features, each channel times a factor from 0 to 1 that follows from its mean (attention refinement, fig. 2b)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.features = conv_norm_relu(inputs, width)
        self.gate = conv_norm(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted features."""
        x = self.features(x)
        result: Tensor = x * self.gate(synopsis(x)).sigmoid()
        return result


class _Fuse(nn.Module):
    """Features of both paths, channels that matter in this image up to doubled (feature fusion, fig. 2c)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = conv_norm_relu(width, width, 1)
        self.gate = conv_norm(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the fused features."""
        x = self.features(x)
        result: Tensor = x + x * self.gate(synopsis(x)).sigmoid()
        return result


def _head(inputs: int, width: int, classes: int) -> nn.Sequential:
    return nn.Sequential(conv_norm_relu(inputs, width), head(width, classes, ndim=2))
