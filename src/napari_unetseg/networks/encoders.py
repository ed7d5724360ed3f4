"""Encoders that several architectures share: VGG16 and the ResNets, every layer scaled by `width` (published: 64).

No pretrained weights: these are trained on cells, from scratch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from torch import Tensor, nn

from napari_unetseg.networks.blocks import ResidualReLU

ResNetName = Literal["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]

VGG16_STAGES = (2, 2, 3, 3, 3)
"""Convolutions of each stage (Simonyan and Zisserman 2015, arXiv:1409.1556, table 1, D)."""


class _Plan(NamedTuple):
    blocks: tuple[int, int, int, int]
    is_bottleneck: bool


RESNETS: dict[str, _Plan] = {
    "resnet18": _Plan((2, 2, 2, 2), is_bottleneck=False),
    "resnet34": _Plan((3, 4, 6, 3), is_bottleneck=False),
    "resnet50": _Plan((3, 4, 6, 3), is_bottleneck=True),
    "resnet101": _Plan((3, 4, 23, 3), is_bottleneck=True),
    "resnet152": _Plan((3, 8, 36, 3), is_bottleneck=True),
}
"""Blocks of each stage (He et al. 2016, arXiv:1512.03385, table 1)."""


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int = 3,
    *,
    stride: int = 1,
    dilation: int = 1,
    bias: bool = False,
    activation: nn.Module | None = None,
) -> nn.Sequential:
    """Return a convolution that keeps the size (but for its stride), BatchNorm, and the activation if one is given."""
    padding = dilation * (kernel // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, dilation=dilation, bias=bias),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation]))


def conv_norm_relu(
    inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, dilation: int = 1, bias: bool = False
) -> nn.Sequential:
    """Return the same with ReLU."""
    return conv_norm(
        inputs, outputs, kernel, stride=stride, dilation=dilation, bias=bias, activation=nn.ReLU(inplace=True)
    )


def vgg16_widths(width: int) -> tuple[int, ...]:
    """Return the channels after each stage of VGG16: 64, 128, 256, 512, 512 as published."""
    return tuple(width * factor for factor in (1, 2, 4, 8, 8))


def vgg16_stages(inputs: int, *, width: int, norm: bool, first_padding: int = 1) -> nn.ModuleList:
    """Return the five stages of VGG16 without their poolings: 3x3 convolutions with bias, [BatchNorm,] ReLU.

    As published (3 inputs, width 64) they have 14,714,688 parameters, with BatchNorm 14,723,136.
    """
    stages: list[nn.Module] = []
    channels = inputs
    for count, outputs in zip(VGG16_STAGES, vgg16_widths(width), strict=True):
        layers: list[nn.Module] = []
        for _ in range(count):
            layers.append(nn.Conv2d(channels, outputs, 3, padding=first_padding if not stages and not layers else 1))
            layers += [nn.BatchNorm2d(outputs)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = outputs
        stages.append(nn.Sequential(*layers))
    return nn.ModuleList(stages)


class ResNet(nn.Module):
    """A residual network without its classifier: images (N, C, Y, X) in, the maps of its four stages out.

    Their strides are 4, 8, 16 and 32; those of the last stages become less, and their kernels dilated, by `dilations`
    (1, 1, 1, 2 keeps 16; 1, 1, 2, 4 keeps 8). As published (3 inputs, width 64) ResNet-18 has 11,176,512 parameters,
    ResNet-50 23,508,032, ResNet-101 42,500,160, ResNet-152 58,143,808.

    Parameters
    ----------
    inputs, name, width
        Channels of the image, which network, and the channels of its first stage's blocks.
    dilations
        Of the four stages; a stage whose dilation is more than 1 has no stride.
    deep_stem
        Three 3x3 convolutions in the place of the 7x7 one ("v1c").
    first_stride
        Of the first stage: 2 halves every map once more (Hu et al. 2021).

    """

    def __init__(
        self,
        inputs: int,
        *,
        name: ResNetName,
        width: int,
        dilations: Sequence[int] = (1, 1, 1, 1),
        deep_stem: bool = False,
        first_stride: int = 1,
    ) -> None:
        super().__init__()
        plan = RESNETS[name]
        block, expansion = (_Bottleneck, 4) if plan.is_bottleneck else (_Basic, 1)
        if deep_stem:
            self.stem = nn.Sequential(
                conv_norm_relu(inputs, width, stride=2),
                conv_norm_relu(width, width),
                conv_norm_relu(width, 2 * width),
            )
        else:
            self.stem = conv_norm_relu(inputs, width, 7, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.widths = tuple(expansion * width * 2**stage for stage in range(4))
        channels = 2 * width if deep_stem else width
        stages: list[nn.Module] = []
        for stage, (count, dilation) in enumerate(zip(plan.blocks, dilations, strict=True)):
            stride = first_stride if stage == 0 else 1 if dilation > 1 else 2
            layers = []
            for index in range(count):
                inner = width * 2**stage
                layers.append(block(channels, inner, stride=stride if index == 0 else 1, dilation=dilation))
                channels = expansion * inner
            stages.append(nn.Sequential(*layers))
        self.stages = nn.ModuleList(stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the four stages, finest first."""
        x = self.pool(self.stem(x))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


class _Basic(ResidualReLU):
    """Two 3x3 convolutions."""

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        body = nn.Sequential(
            conv_norm_relu(inputs, width, stride=stride, dilation=dilation), conv_norm(width, width, dilation=dilation)
        )
        super().__init__(body, shortcut=_shortcut(inputs, width, stride=stride))


class _Bottleneck(ResidualReLU):
    """1x1, 3x3, 1x1 convolutions; the stride is that of the 3x3 one."""

    def __init__(self, inputs: int, width: int, *, stride: int, dilation: int) -> None:
        body = nn.Sequential(
            conv_norm_relu(inputs, width, 1),
            conv_norm_relu(width, width, stride=stride, dilation=dilation),
            conv_norm(width, 4 * width, 1),
        )
        super().__init__(body, shortcut=_shortcut(inputs, 4 * width, stride=stride))


def _shortcut(inputs: int, outputs: int, *, stride: int) -> nn.Module:
    """Leave maps as they are, or give them the shape of what they are added to (He et al. 2016, section 3.3, B)."""
    is_same = stride == 1 and inputs == outputs
    return nn.Identity() if is_same else conv_norm(inputs, outputs, 1, stride=stride)
