"""How sure the network is of each object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def confidence(labels: NDArray[Any], probability: NDArray[Any]) -> NDArray[np.float32]:
    """Return for each id, 0 included, the mean foreground probability of its pixels; 0 for ids that are not there.

    `labels` ([Z,] Y, X) are unsigned or not negative, `probability` (K, [Z,] Y, X) has the background first. An object
    that is really there has values near 1 all over; out-of-focus haze and debris hover above the threshold.
    """
    where = np.flatnonzero(labels)
    ids = labels.ravel()[where]
    return mean_foreground(ids, probability[0].ravel()[where], count=int(ids.max(initial=0)) + 1)


def mean_foreground(ids: NDArray[Any], background: NDArray[Any], *, count: int) -> NDArray[np.float32]:
    """Return for each of `count` ids the mean of 1 - `background` over its pixels, all given pixel by pixel."""
    sums = np.bincount(ids, weights=1 - background.astype(np.float64), minlength=count)
    return (sums / np.maximum(1, np.bincount(ids, minlength=count))).astype(np.float32)
