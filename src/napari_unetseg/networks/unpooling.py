"""Unpooling: values go back to where the maximum was when the encoder pooled, so that outlines stay sharp."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, max_unpool2d

from napari_unetseg.networks import reach
from napari_unetseg.networks.encoders import VGG16_STAGES, vgg16_widths

Switches = tuple[Tensor, tuple[int, int]]
"""Where in the map each maximum was, and the size (Y, X) of the map."""


def pool(x: Tensor) -> tuple[Tensor, Switches]:
    """Return the maxima of blocks of 2 x 2 pixels, and what `unpool` needs to put values in their places."""
    maxima, places = max_pool2d(x, 2, return_indices=True)
    return maxima, (places, (x.shape[-2], x.shape[-1]))


def unpool(x: Tensor, switches: Switches) -> Tensor:
    """Put the values of `x` (N, C, Y, X) where the maxima were; 0 elsewhere. It has nothing to learn.

    ```
    encoder    1 5  ->  5        decoder    7  ->  0 7
               2 3                                 0 0
    ```
    """
    places, size = switches
    return max_unpool2d(x, places, [2, 2], output_size=size)


def there_and_back(
    x: Tensor, *, encoder: Iterable[nn.Module], decoder: Iterable[nn.Module], middle: nn.Module | None = None
) -> Tensor:
    """Return the features of `x` after stages with a pooling behind each, and stages with an unpooling before each."""
    switches = []
    for stage in encoder:
        x, places = pool(stage(x))
        switches.append(places)
    if middle is not None:
        x = middle(x)
    for stage in decoder:
        x = stage(unpool(x, switches.pop()))
    return x


def layers_of(looks: Sequence[int], *, kernel: int, middle: Sequence[reach.Layer] = ()) -> list[reach.Layer]:
    """Return how far such a network looks: as many convolutions as `looks` tells on either side, finest stage first."""
    convolution = reach.Layer(kernel, padding=kernel // 2)
    down = [[convolution] * count + [reach.Layer(2, stride=2)] for count in looks]
    up = [[reach.Layer(2, stride=2, is_up=True)] + [convolution] * count for count in reversed(looks)]
    return [layer for stage in (*down, middle, *up) for layer in stage]


def mirrored_stages(layer: Callable[[int, int], nn.Module], *, width: int, ends: int) -> nn.ModuleList:
    """Return the stages of VGG16 in reverse, made of `layer(inputs, outputs)`, for use behind each unpooling.

    The last layer of a stage has the channels that the next unpooling needs. `ends`: layers of the finest stage.
    """
    widths = vgg16_widths(width)
    stages: list[nn.Module] = []
    for level in reversed(range(len(widths))):
        count = VGG16_STAGES[level] if level else ends
        outputs = [widths[level]] * (count - 1) + [widths[max(0, level - 1)]]
        inputs = [widths[level], *outputs]
        stages.append(nn.Sequential(*(layer(one, other) for one, other in zip(inputs, outputs, strict=False))))
    return nn.ModuleList(stages)
