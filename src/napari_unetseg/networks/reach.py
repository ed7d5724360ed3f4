"""How far a network looks along one axis: any from its layers, a U-Net from its pooling strides (finest first).

Each level of a U-Net has a block on the way down and one on the way up. Regions are aligned: they start and end at
multiples of the product of the strides, here called the divisor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

BLOCK = 2
"""Pixels of its own level that a block of two 3-wide convolutions looks to either side."""


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


class Looks(NamedTuple):
    """How far the parts of a network look, in pixels of their own level."""

    block: int = BLOCK
    head: int = 0
    is_overlapping: bool = False
    """Whether the way up by 2 mixes neighbours: linear interpolation, transposed convolutions wider than 2."""


PLAIN = Looks()


def decoder_margins(strides: Sequence[int], looks: Looks = PLAIN) -> tuple[list[int], list[int]]:
    """Pixels of each level that the decoder needs beyond the output region: before its block, and after it.

    The bottom level has no decoder block, so `after` is one longer than `before`.
    """
    before, after = [], [looks.head]
    for stride in strides:
        before.append(after[-1] + looks.block)
        is_mixed = looks.is_overlapping and stride > 1
        after.append(before[-1] // stride + 1 if is_mixed else -(-before[-1] // stride))
    return before, after


def radius(strides: Sequence[int], looks: Looks = PLAIN) -> int:
    """Input pixels beyond an aligned region that its logits depend on, when padded: 94 for four poolings by 2."""
    need = decoder_margins(strides, looks)[1][-1] + looks.block
    for stride in reversed(strides):
        need = need * stride + looks.block
    return need


def halo(strides: Sequence[int], looks: Looks = PLAIN) -> int:
    """Round the radius up to a multiple of the product of the strides: 96 for four poolings by 2."""
    divisor = math.prod(strides)
    return -(-radius(strides, looks) // divisor) * divisor


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
