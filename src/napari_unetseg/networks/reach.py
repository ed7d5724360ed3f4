"""How far a network looks along one axis: any from its layers, a U-Net from its pooling strides (finest first).

Each level of a U-Net has two 3-wide convolutions on the way down and two on the way up, so every block looks `BLOCK`
pixels of its own level to either side. Regions are aligned: they start and end at multiples of the product of the
strides, here called the divisor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

BLOCK = 2


class Layer(NamedTuple):
    """A convolution or pooling along one axis; `is_up`: transposed, or an unpooling."""

    kernel: int = 3
    stride: int = 1
    padding: int = 0
    """Pixels added in front; of a transposed one those taken off."""
    dilation: int = 1
    is_up: bool = False


def span(layers: Sequence[Layer], *, first: int, last: int) -> tuple[int, int]:
    """Return the first and the last input pixel on which the outputs `first` to `last` of `layers` depend.

    ```
    convolution   output o sees inputs  o stride - padding + dilation (0 .. kernel - 1)
    transposed    input i makes outputs i stride - padding +          (0 .. kernel - 1)
    ```
    """
    for kernel, stride, padding, dilation, is_up in reversed(layers):
        if is_up:
            first, last = -(-(first + padding - kernel + 1) // stride), (last + padding) // stride
        else:
            first, last = first * stride - padding, last * stride - padding + dilation * (kernel - 1)
    return first, last


def halo_of(layers: Sequence[Layer], *, divisor: int) -> int:
    """Return what the logits of an aligned region depend on beyond it, rounded up to a multiple of the divisor.

    `layers` lead from the image to the logits; of several ways the one that looks farthest.
    """
    first, last = span(layers, first=0, last=divisor - 1)
    return -(-max(-first, last - divisor + 1) // divisor) * divisor


def decoder_margins(strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """Pixels of each level that the decoder needs beyond the output region: before its block, and after it.

    The bottom level has no decoder block, so `after` is one longer than `before`.
    """
    before, after = [], [0]
    for stride in strides:
        before.append(after[-1] + BLOCK)
        after.append(-(-before[-1] // stride))
    return before, after


def radius(strides: Sequence[int]) -> int:
    """Input pixels beyond an aligned region that its logits depend on, when padded: 94 for four poolings by 2."""
    need = decoder_margins(strides)[1][-1] + BLOCK
    for stride in reversed(strides):
        need = need * stride + BLOCK
    return need


def halo(strides: Sequence[int]) -> int:
    """Round the radius up to a multiple of the product of the strides: 96 for four poolings by 2."""
    divisor = math.prod(strides)
    return -(-radius(strides) // divisor) * divisor


def valid_input(bottom: int, strides: Sequence[int]) -> int:
    """Input size of an unpadded network whose lowest feature map has `bottom` pixels (28 -> 572, paper fig. 1)."""
    size = bottom + 2 * BLOCK
    for stride in reversed(strides):
        size = size * stride + 2 * BLOCK
    return size


def valid_output(bottom: int, strides: Sequence[int]) -> int:
    """Output size of an unpadded network whose lowest feature map has `bottom` pixels (28 -> 388, paper fig. 1)."""
    size = bottom
    for stride in reversed(strides):
        size = size * stride - 2 * BLOCK
    return size


def valid_margin(strides: Sequence[int]) -> int:
    """Pixels an unpadded network loses on each side: 92 for four poolings by 2."""
    return (valid_input(0, strides) - valid_output(0, strides)) // 2


def nearest_valid(size: int, strides: Sequence[int]) -> tuple[int, int]:
    """Return the input sizes of an unpadded network just below (or at) and just above (or at) `size`."""
    divisor, smallest = math.prod(strides), valid_input(_least_bottom(strides), strides)
    steps = max(0, size - smallest)
    return smallest + steps // divisor * divisor, smallest + -(-steps // divisor) * divisor


def _least_bottom(strides: Sequence[int]) -> int:
    """Smallest lowest map from which every decoder block still gives a pixel."""
    need = 1
    for stride in strides:
        need = -(-(need + 2 * BLOCK) // stride)
    return need
