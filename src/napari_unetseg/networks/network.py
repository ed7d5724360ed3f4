"""What every architecture promises to those who run it: its sizes, and a forward pass that leaves out the halo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from napari_unetseg.networks.blocks import crop
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

Halos = Sequence[tuple[int, int]]
"""For each spatial axis the pixels beyond the wanted region, in front and behind."""


class NoSettings(Config):
    """An architecture that has nothing to be set but its width."""


@dataclass(frozen=True, slots=True)
class Heads:
    """What a network gives while it learns, all at the size of the image."""

    logits: Tensor
    """(N, K, ...), as in prediction."""
    deep: tuple[Tensor, ...] = ()
    """Logits (N, K, ...) of earlier stages, which learn the same (deep supervision)."""
    border: tuple[Tensor, ...] = ()
    """Logits (N, 1, ...) of whether a pixel lies on a border between classes or objects."""


class Network(nn.Module):
    """Base of all architectures: images (N, C, [Z,] Y, X) in, logits (N, K, [Z,] Y, X) out."""

    summary: ClassVar[str] = ""
    idea: ClassVar[str] = ""
    """What is new in it, in a few plain sentences."""
    suits: ClassVar[str] = ""
    """What it is good for, and where its structure limits it."""
    reference: ClassVar[str] = ""
    Settings: ClassVar[type[Config]] = NoSettings
    """What `NetworkConfig.settings` may hold."""
    changeable: ClassVar[frozenset[str]] = frozenset()
    """Settings that can be changed after training: the weights are the same, and learnt for all of their values."""
    takes: ClassVar[frozenset[str]] = frozenset()
    """The fields of `NetworkConfig` that it heeds besides architecture, channels, width and settings."""
    dimensions: ClassVar[tuple[int, ...]] = (2,)
    published_width: ClassVar[int] = 64
    """The `width` at which it is the published network; others scale every layer."""
    output_stride: ClassVar[int] = 1
    """Pixels of the image for one of the last feature map; its logits are interpolated."""
    least_batch: ClassVar[int] = 1
    """Patches that a training step needs: 2 where BatchNorm follows the mean over the whole image."""
    least_patch: ClassVar[int] = 0
    """Edge (px) that a training patch should have, where the images are large enough."""
    rate_factor: ClassVar[float] = 1.0
    """Of the learning rate: less where nothing normalises the maps of a deep network, which come apart otherwise."""
    coarsest: int | None = None
    """Pixels of the image for one of the coarsest map with BatchNorm; none: the divisor; 0: there is no BatchNorm."""

    divisor: tuple[int, ...]
    """Per spatial axis: what the offsets and sizes of tiles must be a multiple of."""
    halo: tuple[int, ...]
    """Per spatial axis: a multiple of the divisor that covers all a pixel's logits depend on."""
    is_tile_exact: bool = False
    """Whether tiles read with that halo give the logits of the whole image (in evaluation mode); others are blended."""
    tile_edge: int = 512
    """Edge (px) of blended tiles of planes, unless told otherwise: less where it finds more in small ones
    (`benchmarks/seams.py`)."""
    seam_error: float | None = None
    """Where they are not: the share of pixels that blended tiles of the default size gave another class than the whole
    image in `benchmarks/seams.py`; none: not measured."""

    maps_per_pixel: float
    """Numbers alive per input pixel at the widest point: skips, inputs of the last concatenation, and its result."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.maps_per_pixel = 8.0 * config.width

    def forward_cropped(self, x: Tensor, halos: Halos) -> Tensor:
        """Return the logits of `x` without its halos; architectures that can do with less work override this."""
        logits: Tensor = self(x)
        return crop(logits, halos)

    def forward_heads(self, x: Tensor) -> Heads:
        """Return what the loss is taken of; architectures with more than one output override this.

        `forward_cropped` rather than `forward`: an unpadded network mirrors what it lacks, so that its logits have the
        size of `x`.
        """
        return Heads(self.forward_cropped(x, [(0, 0)] * self.config.ndim))

    def check_channels(self, x: Tensor) -> None:
        """Refuse what is not a batch of images with the channels of the configuration."""
        config = self.config
        if x.ndim != config.ndim + 2:
            axes = "(N, C, Y, X)" if config.ndim == 2 else "(N, C, Z, Y, X)"
            raise InputError(f"a {config.ndim}D network reads batches {axes}, got shape {tuple(x.shape)}; reshape it")
        if x.shape[1] != config.in_channels:
            raise InputError(
                f"the network reads {counted(config.in_channels, 'channel')}, got {x.shape[1]}; "
                "choose the channels it was trained on"
            )

    def check_least(self, x: Tensor) -> None:
        """Refuse edges below the divisor, of which pooling would leave nothing."""
        if any(size < step for size, step in zip(x.shape[2:], self.divisor, strict=True)):
            least = " x ".join(map(str, self.divisor))
            raise InputError(f"this network reads images of {least} pixels or more, got {tuple(x.shape[2:])}; pad them")

    def check_multiple(self, x: Tensor) -> None:
        """Refuse sizes that are not multiples of the divisor, and name the next that are."""
        sizes = tuple(x.shape[2:])
        following = tuple(max(1, -(-size // step)) * step for size, step in zip(sizes, self.divisor, strict=True))
        if sizes != following:
            raise InputError(f"network input must be a multiple of {self.divisor}, got {sizes}; pad it to {following}")
