"""Indices of a signal that is mirrored at both ends without repeating the last sample (numpy's 'reflect')."""

from __future__ import annotations

from torch import Tensor, zeros_like


def mirror(positions: Tensor, *, size: int) -> Tensor:
    """Fold integer `positions` into `0 .. size - 1`, as often as needed.

    ```
    position  -3 -2 -1  0  1  2  3  4  5  6
    index      3  2  1  0  1  2  3  2  1  0      for size 4
    ```
    """
    if size == 1:
        return zeros_like(positions)
    last = size - 1
    return last - (positions.remainder(2 * last) - last).abs()
