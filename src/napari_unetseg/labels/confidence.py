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
    foreground = 1 - probability[0].ravel()[where].astype(np.float64)
    count = int(ids.max(initial=0)) + 1
    sums = np.bincount(ids, weights=foreground, minlength=count)
    return (sums / np.maximum(1, np.bincount(ids, minlength=count))).astype(np.float32)
