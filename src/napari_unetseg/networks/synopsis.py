"""What an image is like as a whole."""

from __future__ import annotations

from torch import Tensor


def synopsis(x: Tensor) -> Tensor:
    """Return the mean of each channel of (N, C, Y, X), as maps of one pixel (N, C, 1, 1)."""
    return x.mean(dim=(2, 3), keepdim=True)
