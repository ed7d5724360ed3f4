"""Attention gates: what of a skip the decoder gets to see."""

from __future__ import annotations

from torch import Tensor, nn

from napari_unetseg.networks.blocks import pointwise


class AttentionGate(nn.Module):
    r"""Multiply each pixel of a skip by a weight in (0, 1) from skip and decoder (Oktay et al. 2018, eq. 1, 2).

    ```
    skip ---+--------------------------------- x ---> to the decoder's block
            + 1-wide conv \                      |
                           + - ReLU - 1-wide conv - sigmoid
      up ---- 1-wide conv /
    ```

    The paper compares both on the coarser grid and enlarges the weights; here what comes up has been enlarged before.
    So a weight depends on its own pixel alone, and tiles stay exact with the same halo.
    """

    def __init__(self, channels: int, *, ndim: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.of_skip = pointwise(channels, inner, ndim=ndim, bias=False)
        self.of_up = pointwise(channels, inner, ndim=ndim)
        self.relu = nn.ReLU(inplace=True)
        self.weigh = nn.Sequential(pointwise(inner, 1, ndim=ndim), nn.Sigmoid())

    def forward(self, skip: Tensor, up: Tensor) -> Tensor:
        """Return the weighted skip; both are (N, C, [Z,] Y, X)."""
        weights: Tensor = self.weigh(self.relu(self.of_skip(skip) + self.of_up(up)))
        return skip * weights
