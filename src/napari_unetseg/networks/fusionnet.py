"""FusionNet: a U-Net of residual blocks whose skips are added, made for membranes in electron microscopy."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from napari_unetseg.networks.blocks import Residual, initialise, pooling
from napari_unetseg.networks.encoders import conv_norm
from napari_unetseg.networks.ladder import Ladder
from napari_unetseg.networks.reach import Looks
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig

LEVELS = 4  # poolings
LOOKS = Looks(block=5, head=1, is_overlapping=True)  # 3-wide convolutions: five in a block, one in the head, one up
SLOPE = 0.2  # of the encoder's leaky ReLU


class FusionNetSettings(Config):
    """How its two paths join."""

    skips: Literal["sum", "mean"] = Field("sum", description="What joins encoder and decoder: their sum or their mean.")


class FusionNet(Ladder):
    """Blocks of five convolutions, three of them with a short skip; long skips add (Quan et al. 2016, fig. 2).

    As every skip is a sum, the network as a whole is a residual one, and can be deep.
    """

    summary: ClassVar[str] = "Residual U-Net with added skips, for membranes in electron microscopy; exact in tiles."
    idea: ClassVar[str] = (
        "A U-Net whose blocks are residual and whose skips are added instead of concatenated. Every path is "
        "then a sum, so that gradients reach all of a very deep network."
    )
    suits: ClassVar[str] = (
        "Membranes in electron microscopy, for which it was made, and other fine boundaries. Tiles are exact."
    )
    reference: ClassVar[str] = "Quan, Hildebrand, Jeong 2016, arXiv:1612.05360"
    Settings: ClassVar[type[Config]] = FusionNetSettings

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self._skips = FusionNetSettings.model_validate(config.settings).skips
        widths = [config.width * 2**level for level in range(LEVELS + 1)]
        inputs = [config.in_channels, *widths]
        strides = [(2, 2)] * LEVELS
        self.encoder = nn.ModuleList(
            _block(inputs[level], width, activation=nn.LeakyReLU(SLOPE, inplace=True))
            for level, width in enumerate(widths)
        )
        self.pool = nn.ModuleList(pooling(stride) for stride in strides)
        self.up = nn.ModuleList(_up(2 * width, width) for width in widths[:-1])
        self.decoder = nn.ModuleList(_block(width, width, activation=nn.ReLU(inplace=True)) for width in widths[:-1])
        self.head = nn.Conv2d(config.width, config.out_channels, 3, padding=1)
        self._measure(strides, LOOKS)
        initialise(self)

    def _join(self, skip: Tensor, up: Tensor, *, level: int) -> Tensor:
        return (skip + up) / 2 if self._skips == "mean" else skip + up


def _block(inputs: int, outputs: int, *, activation: nn.Module) -> nn.Sequential:
    """Return a convolution, three with a short skip, and another one (paper, fig. 3)."""
    body = nn.Sequential(
        conv_norm(outputs, outputs, bias=True, activation=activation),
        conv_norm(outputs, outputs, bias=True, activation=activation),
        conv_norm(outputs, outputs, bias=True),
    )
    return nn.Sequential(
        conv_norm(inputs, outputs, bias=True, activation=activation),
        Residual(body, shortcut=nn.Identity()),
        conv_norm(outputs, outputs, bias=True, activation=activation),
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    """Return a 3-wide transposed convolution that doubles the size, BatchNorm and ReLU."""
    up = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(up, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
