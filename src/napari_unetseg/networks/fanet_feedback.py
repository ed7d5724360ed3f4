"""FANet with feedback attention: the network looks at the image again, with the mask it has found before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import adaptive_max_pool2d
from torch.nn.modules.batchnorm import _BatchNorm

from napari_unetseg.networks.blocks import begin_even, head, initialise, pointwise
from napari_unetseg.networks.encoders import conv_norm, conv_norm_relu
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.otsu import otsu_mask
from napari_unetseg.networks.synopsis import synopsis
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig

LEVELS = 4  # poolings


class FANetFeedbackSettings(Config):
    """What there is to be set."""

    passes: int = Field(
        2, ge=1, le=8, description="How often the network looks at the image; first with the mask of its bright pixels."
    )


class FANetFeedback(Network):
    """A U-Net whose every stage also gets the mask of the pass before (Tomar et al. 2022).

    ```
    image - Otsu - mask - network - mask - ... - mask - network - logits
                             ^                             ^
    image -------------------+-----------------------------+

    stage (/1) - mix ----------------- stage - mix - concat mask - head
      stage (/2) - mix ------------- stage - mix
        stage (/4) - mix --------- stage - mix
          stage (/8) - mix - up - stage - mix
    ```

    The authors keep the mask that the epoch before has found in each image. Patches that are cut and warped anew have
    none, so here a step begins like prediction: with a mask of the bright pixels (Otsu), then passes without gradient,
    and the last one learns. The BatchNorms take the statistics of the patches in each, but remember those of the last.

    The mask has the pixels in which another map than the first, that of the background, is the largest. All targets
    have this order. A distance, if there is one, is no logit; but it lies between 0 and 1, and the logits of the
    classes around 0, as the loss of classes only moves them against each other. So it tips pixels that are in doubt.
    """

    summary: ClassVar[str] = "A U-Net that looks again, with the mask it has found before."
    idea: ClassVar[str] = (
        "People look twice. The mask that the network has found goes back in, at every stage: features inside it and "
        "features of everything are joined, so that the next pass mends the mask rather than begins anew. The first "
        "mask is that of the bright pixels."
    )
    suits: ClassVar[str] = (
        "Masks of a few large regions in medical images, which it was made for. Each pass costs as much as the first. "
        "Of a large image each tile has bright pixels of its own, also where there is nothing but noise."
    )
    reference: ClassVar[str] = "Tomar et al. 2022, arXiv:2103.17235"
    seam_error: float | None = 0.0045  # benchmarks/seams.py
    Settings: ClassVar[type[Config]] = FANetFeedbackSettings
    published_width: ClassVar[int] = 32

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self._passes = FANetFeedbackSettings.model_validate(config.settings).passes
        widths = [_even(config.width * 2**level) for level in range(LEVELS)]
        outputs = [_even(config.width // 2), *widths[:-1]]
        self.encoder = nn.ModuleList(_stage(before, width) for before, width in pairwise((config.in_channels, *widths)))
        self.encoder_mix = nn.ModuleList(MixPool(width) for width in widths)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1) for width in widths)
        self.decoder = nn.ModuleList(_stage(2 * width, after) for width, after in zip(widths, outputs, strict=True))
        self.decoder_mix = nn.ModuleList(MixPool(width) for width in outputs)
        self.head = head(outputs[0] + 1, config.out_channels, ndim=2)
        self.divisor = self.halo = (2**LEVELS, 2**LEVELS)
        self.coarsest = 2 ** (LEVELS - 1)
        self.maps_per_pixel = 5.0 * config.width + config.out_channels
        initialise(self)
        begin_even(self.head)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the last pass over `x`; only they have a gradient."""
        self.check_channels(x)
        self.check_multiple(x)
        mask = otsu_mask(x).to(x.dtype)
        with torch.no_grad(), _remembering_nothing(self):
            for _ in range(self._passes - 1):
                mask = foreground(self._look(x, mask)).to(x.dtype)
        return self._look(x, mask)

    def _look(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the logits of one pass, given the mask (N, 1, Y, X) of the one before."""
        skips = []
        for stage, mix in zip(self.encoder, self.encoder_mix, strict=True):
            skips.append(stage(x))
            x = self.pool(mix(skips[-1], mask))
        for up, stage, mix in reversed(list(zip(self.up, self.decoder, self.decoder_mix, strict=True))):
            x = mix(stage(torch.cat([up(x), skips.pop()], dim=1)), mask)
        logits: Tensor = self.head(torch.cat([x, mask], dim=1))
        return logits


class MixPool(nn.Module):
    """Half of the maps from the pixels that either the mask or the stage itself takes for important ("MixPool").

    ```
    maps - 3x3 - 1x1 - above 0.5? -+
    mask - pooled --------------- or -- x maps - 3x3 - concat
    maps ------------------------------------- 3x3 -+
    ```

    Nothing would teach what comes before "above 0.5?", as its slope is 0 (in the authors' program these weights stay
    as they were drawn). Backwards, the step is left out (Bengio et al. 2013, arXiv:1308.3432).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.find = nn.Sequential(
            conv_norm_relu(channels, channels, bias=True), pointwise(channels, 1, ndim=2), nn.Sigmoid()
        )
        self.of_important = conv_norm_relu(channels, channels // 2, bias=True)
        self.of_all = conv_norm_relu(channels, channels // 2, bias=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return maps (N, C, Y, X) of the size of `x`; the mask (N, 1, ...) may be finer."""
        probability = self.find(x)
        found = (probability > 0.5).to(x.dtype) + (probability - probability.detach())  # adds 0, and the gradient
        coarse = adaptive_max_pool2d(mask, x.shape[2:]).to(x.dtype)
        important = found + coarse - found * coarse  # or
        return torch.cat([self.of_important(x * important), self.of_all(x)], dim=1)


class _Residual(nn.Module):
    """Two 3x3 convolutions, and what comes in added to what comes out, each of its channels with its own factor."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(conv_norm_relu(inputs, outputs, bias=True), conv_norm(outputs, outputs, bias=True))
        self.shortcut = conv_norm(inputs, outputs, 1, bias=True)
        self.factors = nn.Sequential(
            pointwise(outputs, 1, ndim=2, bias=False),  # one node between, as in the authors' program
            nn.ReLU(inplace=True),
            pointwise(1, outputs, ndim=2, bias=False),
            nn.Sigmoid(),
        )
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Squeeze and excite the shortcut (Hu et al. 2018, arXiv:1709.01507, section 3)."""
        added = self.shortcut(x)
        result: Tensor = self.relu(self.body(x) + added * self.factors(synopsis(added)))
        return result


def foreground(logits: Tensor) -> Tensor:
    """Tell where a map other than that of the background is the largest; of a single map, where it is positive."""
    if logits.shape[1] == 1:
        return logits > 0
    return logits[:, 1:].amax(dim=1, keepdim=True) > logits[:, :1]


@contextmanager
def _remembering_nothing(network: nn.Module) -> Iterator[None]:
    """Keep the running averages of all BatchNorms as they are."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _stage(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_Residual(inputs, outputs), _Residual(outputs, outputs))


def _even(channels: int) -> int:
    """Return what can be halved."""
    return max(2, channels + channels % 2)
