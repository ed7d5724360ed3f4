"""GCN, the Global Convolutional Network: kernels as large as the map, made of two thin ones."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator
from torch import Tensor, nn

from napari_unetseg.networks.blocks import begin_even, initialise
from napari_unetseg.networks.encoders import ResNet, ResNetName
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig


class GCNSettings(Config):
    """What there is to be set."""

    encoder: ResNetName = Field("resnet152", description="Which residual encoder.")
    kernel: int = Field(15, ge=1, le=63, description="Edge (px of a map) of the large kernels; odd.")

    @field_validator("kernel")
    @classmethod
    def _check_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"the kernel must be odd, to have a middle, got {value}; use {value + 1}")
        return value


class GCN(Network):
    """Logits of every stage from large kernels, refined and added up from coarse to fine (Peng et al. 2017, fig. 2).

    ```
    stage 1 (/4)   large - refine ---------------------- + - refine - x 2 - refine - x 2 - refine ->
    stage 2 (/8)   large - refine ----------- + - refine - x 2
    stage 3 (/16)  large - refine - + - refine - x 2
    stage 4 (/32)  large - refine - x 2
    ```

    The paper enlarges with transposed convolutions; linear interpolation has nothing to be learnt.
    """

    summary: ClassVar[str] = "Very large thin kernels on every stage, and a refinement of borders."
    idea: ClassVar[str] = (
        "To name a thing one wants to see all of it, to place it one wants to stay local. Very large kernels "
        "do both: each is made of two pairs of thin ones, so that it costs little. Small residual blocks then "
        "refine the borders."
    )
    suits: ClassVar[str] = (
        "Large objects, and classes that depend on the layout of a whole object. The decoder works on logits "
        "alone, so fine detail is limited."
    )
    reference: ClassVar[str] = "Peng, Zhang, Yu, Luo, Sun 2017, arXiv:1703.02719"
    tile_edge = 256
    seam_error: float | None = 0.015  # benchmarks/seams.py
    Settings: ClassVar[type[Config]] = GCNSettings
    output_stride: ClassVar[int] = 2

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        settings = GCNSettings.model_validate(config.settings)
        classes = config.out_channels
        self.encoder = ResNet(config.in_channels, name=settings.encoder, width=config.width)
        self.large = nn.ModuleList(
            LargeKernel(inputs, classes, kernel=settings.kernel) for inputs in self.encoder.widths
        )
        self.refine = nn.ModuleList(_Refine(classes) for _ in self.encoder.widths)
        self.joined = nn.ModuleList(_Refine(classes) for _ in range(5))  # strides 1, 2, 4, 8, 16
        self.divisor = self.halo = (32, 32)
        self.maps_per_pixel = config.width + 4.0 * classes
        initialise(self)
        for module in self.modules():
            if isinstance(module, LargeKernel):
                begin_even(module.across_first, module.along_first)
            elif isinstance(module, _Refine):
                nn.init.zeros_(module.last.weight)  # it begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        self.check_channels(x)
        self.check_multiple(x)
        stages = [
            refine(large(one)) for refine, large, one in zip(self.refine, self.large, self.encoder(x), strict=True)
        ]
        logits = stages.pop()
        for joined in reversed(self.joined[2:]):
            finer = stages.pop()
            logits = joined(resize(logits, finer.shape[2:]) + finer)
        logits = self.joined[1](resize(logits, [edge // 2 for edge in x.shape[2:]]))
        result: Tensor = self.joined[0](resize(logits, x.shape[2:]))
        return result


class LargeKernel(nn.Module):
    """A k x k kernel as k x 1 after 1 x k plus 1 x k after k x 1: 2 k weights for k^2 (Peng et al. 2017, fig. 2b)."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int) -> None:
        super().__init__()
        across, along = (kernel, 1), (1, kernel)
        self.across_first = nn.Sequential(_thin(inputs, outputs, across), _thin(outputs, outputs, along))
        self.along_first = nn.Sequential(_thin(inputs, outputs, along), _thin(outputs, outputs, across))

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both orders."""
        result: Tensor = self.across_first(x) + self.along_first(x)
        return result


class _Refine(nn.Module):
    """Logits and what two convolutions find wrong with them (boundary refinement, fig. 2c)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(classes, classes, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.last = nn.Conv2d(classes, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined logits."""
        result: Tensor = x + self.last(self.relu(self.first(x)))
        return result


def _thin(inputs: int, outputs: int, kernel: tuple[int, int]) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=(kernel[0] // 2, kernel[1] // 2))
