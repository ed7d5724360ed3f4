"""The table of a map of classes: how much of the image each takes, in pixels and, where their size is known, µm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NAME, SHARE = "class", "share"
"""Columns that no table of objects has."""


def class_table(
    counts: NDArray[np.int64], *, names: Sequence[str], axes: str, scale: Mapping[str, float], t: int | None = None
) -> pd.DataFrame:
    """Return one row per class, the background first, from its number of pixels; with `t` a leading column of it.

    `axes` are "yx" for areas or "zyx" for volumes, `scale` the pixel size (µm) by axis letter. `share` is that of all
    pixels.
    """
    size, unit = ("area", "um2") if len(axes) == 2 else ("volume", "um3")
    columns: dict[str, Any] = {} if t is None else {"t": np.full(len(counts), t)}
    columns |= {"label": np.arange(len(counts)), NAME: list(names), f"{size}_px": counts}
    steps = [float(scale.get(axis.upper(), 0)) for axis in axes]
    if all(steps):
        columns[f"{size}_{unit}"] = counts * math.prod(steps)
    return pd.DataFrame({**columns, SHARE: counts / max(1, counts.sum())})
