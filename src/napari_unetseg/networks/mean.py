"""The mean of several passes of a network, given as logits again."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax


def mean_logits(passes: Iterable[Tensor], *, classes: int) -> Tensor:
    """Return the logits (N, K, ...) whose maps are the mean of the maps of all `passes`, taken one at a time.

    The first `classes` channels become the logarithm of the mean probability, of which the softmax is that mean; the
    others are the mean of the distances, each clipped to [0, 1]. Sums are made in float32.
    """
    count, logarithm, distance = 0, torch.empty(0), torch.empty(0)
    for logits in passes:
        single = log_softmax(logits[:, :classes].float(), dim=1)
        clipped = logits[:, classes:].float().clamp(0, 1)
        logarithm = torch.logaddexp(logarithm, single) if count else single
        distance = distance + clipped if count else clipped
        count += 1
    return torch.cat([logarithm - math.log(count), distance / count], dim=1)
