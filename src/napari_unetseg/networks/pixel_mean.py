"""What all losses share: pixels that nobody has annotated do not count, and sums are those of all processes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

IGNORE = -1
Total = Callable[[Tensor], Tensor]


def alone(value: Tensor) -> Tensor:
    """Return the sum of `value` over one process."""
    return value


def mean_over_valid(loss: Tensor, weight: Tensor | None, target: Tensor, *, total: Total) -> Tensor:
    """Sum(w * loss) over annotated pixels / their number; 0, with a gradient of 0, when there are none."""
    valid = target != IGNORE
    weighted = loss if weight is None else loss * weight
    return total(torch.where(valid, weighted, 0.0).sum()) / total(valid.sum()).clamp_min(1)


def mean_over_samples(loss: Tensor, valid: Tensor, *, total: Total) -> Tensor:
    """Return the mean of `loss` (N,) over the samples with an annotated pixel in `valid` (N, pixels); 0 if none has."""
    counts = valid.any(dim=1)
    return total(torch.where(counts, loss, 0.0).sum()) / total(counts.sum()).clamp_min(1)
