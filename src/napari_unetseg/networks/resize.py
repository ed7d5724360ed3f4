"""Bring maps to another size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import interpolate


def resize(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate maps (N, C, Y, X) linearly to the edges `shape`; nothing is done to those that have them.

    Pixels are areas, not points (align_corners=False): a map of stride 8 lies over its image without a shift, and what
    becomes of a pixel does not depend on the size of the image.
    """
    if tuple(x.shape[2:]) == tuple(shape):
        return x
    return interpolate(x, size=(shape[0], shape[1]), mode="bilinear", align_corners=False)
