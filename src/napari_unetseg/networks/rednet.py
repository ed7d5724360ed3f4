"""RedNet: a residual encoder and a residual decoder; a second channel, such as depth, has an encoder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from torch import Tensor, nn

from napari_unetseg.networks.blocks import ResidualReLU, begin_even, head, initialise
from napari_unetseg.networks.encoders import ResNet, conv_norm, conv_norm_relu
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.resize import resize
from napari_unetseg.schema.config import NetworkConfig

DECODER = ((8, 4, 6), (4, 2, 4), (2, 1, 3), (1, 1, 3))
"""Of each stage of the decoder, coarsest first: channels before and after, in units of the width, and blocks."""


class RedNet(Network):
    """Maps of all scales, added to those of the decoder through 1x1 convolutions (Jiang et al. 2018).

    ```
    stem    (/2)  + --- 1x1 -------------------- + - 3 blocks - head, x 2 ->
    stage 1 (/4)  + --- 1x1 -- + - 3 blocks, x 2   (head, training)
    stage 2 (/8)  + --- 1x1 -- + - 3 blocks, x 2   (head, training)
    stage 3 (/16) + --- 1x1 -- + - 4 blocks, x 2   (head, training)
    stage 4 (/32) + --- 1x1 ------ 6 blocks, x 2   (head, training)
    ```

    Of images with exactly two channels the second goes through an encoder of its own (depth in the paper, say nuclei in
    microscopy), whose maps are added to those of the first at every + on the left. The channels of other images go
    through one encoder. The paper shrinks the labels for its early heads; here their logits are enlarged.
    """

    summary: ClassVar[str] = "Residual encoder and decoder; the second of two channels has an encoder of its own."
    idea: ClassVar[str] = (
        "Encoder and decoder are both residual, skips are added through thin layers, and every stage of the "
        "decoder is told what is right. A second image, such as depth, has an encoder of its own, whose "
        "features are added at each stage."
    )
    suits: ClassVar[str] = (
        "Images of two channels that show different things, such as a membrane and a nucleus: each gets an encoder."
    )
    reference: ClassVar[str] = "Jiang, Zheng, Luo, Zhang 2018, arXiv:1806.01054"
    seam_error: float | None = 0.00015  # benchmarks/seams.py

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        width, classes, is_split = config.width, config.out_channels, config.in_channels == 2
        self.encoder = ResNet(1 if is_split else config.in_channels, name="resnet50", width=width)
        self.second = ResNet(1, name="resnet50", width=width) if is_split else None
        stages = [(before * width, after * width, count) for before, after, count in DECODER]
        encoded = [*reversed(self.encoder.widths), width]
        decoded = [*(before for before, _, _ in stages), width]
        self.skips = nn.ModuleList(
            conv_norm_relu(inputs, outputs, 1) for inputs, outputs in zip(encoded, decoded, strict=True)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(*(_Block(before) for _ in range(count - 1)), _UpBlock(before, after))
            for before, after, count in stages
        )
        self.last = nn.Sequential(*(_Block(width) for _ in range(3)))
        self.head = nn.ConvTranspose2d(width, classes, 2, stride=2)
        self.early = nn.ModuleList(head(after, classes, ndim=2) for _, after, _ in stages)
        self.divisor = self.halo = (32, 32)
        self.maps_per_pixel = (2.0 if is_split else 1.5) * width + classes
        initialise(self)
        begin_even(self.head, *self.early)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of `x`."""
        return self._decode(x)[-1]

    def forward_heads(self, x: Tensor) -> Heads:
        """Return the logits, and those of the four stages of the decoder."""
        *stages, logits = self._decode(x)
        deep = [resize(early(stage), x.shape[2:]) for early, stage in zip(self.early, stages, strict=True)]
        return Heads(logits, deep=tuple(deep))

    def _decode(self, x: Tensor) -> list[Tensor]:
        """Return the maps of the decoder, coarsest first, before what is added to them; then the logits."""
        self.check_channels(x)
        self.check_multiple(x)
        maps = list(self._encode(x))
        x = self.skips[0](maps.pop())
        results = []
        for decode, skip in zip(self.decoder, self.skips[1:], strict=True):
            results.append(decode(x))
            x = results[-1] + skip(maps.pop())
        return [*results, self.head(self.last(x))]

    def _encode(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the maps of both encoders, added up, finest first: after the stem and after each stage."""
        if self.second is None:
            yield (x := self.encoder.stem(x))
            x = self.encoder.pool(x)
            for stage in self.encoder.stages:
                yield (x := stage(x))
            return
        second = self.second.stem(x[:, 1:])
        yield (x := self.encoder.stem(x[:, :1]) + second)
        x, second = self.encoder.pool(x), self.second.pool(second)
        for stage, of_second in zip(self.encoder.stages, self.second.stages, strict=True):
            second = of_second(second)
            yield (x := stage(x) + second)


class _Block(ResidualReLU):
    """Two 3x3 convolutions."""

    def __init__(self, width: int) -> None:
        super().__init__(nn.Sequential(conv_norm_relu(width, width), conv_norm(width, width)), shortcut=nn.Identity())


class _UpBlock(ResidualReLU):
    """A 3x3 convolution and a transposed one, which doubles the edges."""

    def __init__(self, inputs: int, outputs: int) -> None:
        up = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False)
        shortcut = nn.ConvTranspose2d(inputs, outputs, 2, stride=2, bias=False)
        super().__init__(
            nn.Sequential(conv_norm_relu(inputs, inputs), up, nn.BatchNorm2d(outputs)),
            shortcut=nn.Sequential(shortcut, nn.BatchNorm2d(outputs)),
        )
