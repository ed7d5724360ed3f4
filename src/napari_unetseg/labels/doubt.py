"""Which objects a person should look at first: size, contact with the border, and doubt judged by shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_unetseg.labels.ids import compact, object_boxes

NARROWEST_SPREAD = 0.25
"""Smallest spread of log size taken for natural; else objects of nearly one size would all be outliers."""


def plane_moments(plane: NDArray[Any], *, z: int = 0, row: int = 0) -> pd.DataFrame:
    """Return sums over the pixels of each object of a plane (Y, X), or of a band of it that begins at `row`.

    `size`, first and second moments (`y`, `yx`, ...), and the bounding box (`y_min`, `y_max`, ...). Those of bands and
    planes add up to those of a volume.
    """
    objects, ids = compact(plane)
    boxes = object_boxes(np.maximum(objects, 0))
    where = np.flatnonzero(objects > 0)
    index, count = objects.ravel()[where] - 1, len(ids) - 1
    y, x = (coordinate.astype(np.float64) for coordinate in np.unravel_index(where, plane.shape))
    y += row
    size = np.bincount(index, minlength=count)
    sums = {"y": y, "x": x, "yy": y * y, "yx": y * x, "xx": x * x}
    columns: dict[str, Any] = {"label": ids[1:].astype(np.int64), "size": size}
    columns |= {name: np.bincount(index, weights=values, minlength=count) for name, values in sums.items()}
    columns |= {"z": z * size, "zz": z * z * size, "zy": z * columns["y"], "zx": z * columns["x"]}
    for axis, (name, start) in enumerate((("y", row), ("x", 0))):
        columns[f"{name}_min"] = np.array([box[axis].start + start for box in boxes], dtype=np.int64)
        columns[f"{name}_max"] = np.array([box[axis].stop + start for box in boxes], dtype=np.int64)
    return pd.DataFrame(columns).assign(z_min=z, z_max=z + 1)


def describe_objects(parts: Sequence[pd.DataFrame], *, shape: Sequence[int]) -> pd.DataFrame:
    """Return one row per object from the moments of its parts; `shape` is that of the volume or plane ([Z,] Y, X).

    Columns: label, size, centroid, box, `touches_border`, and `fill`, the share of the ellipse (ellipsoid) with the
    object's second moments that it fills: about 1 for round and long objects, less for two that hang together.
    """
    rows = pd.concat(parts, ignore_index=True)
    lows = [name for name in rows if str(name).endswith("_min")]
    highs = [name for name in rows if str(name).endswith("_max")]
    groups = rows.groupby("label")
    table = groups[[name for name in rows if name not in ("label", *lows, *highs)]].sum()
    table = table.join(groups[lows].min()).join(groups[highs].max()).reset_index()
    axes = "zyx"[3 - len(shape) :]
    table["fill"] = _fill(table, axes=axes)
    for name in axes:
        table[f"centroid_{name}"] = table[name] / table["size"]
    # A stack is cut at its sides; that an object begins in the first plane says nothing.
    touches = [(table[f"{name}_min"] == 0) | (table[f"{name}_max"] == shape[axes.index(name)]) for name in "yx"]
    table["touches_border"] = touches[0] | touches[1]
    kept = ["label", "size", "fill", "touches_border", *(f"centroid_{name}" for name in axes)]
    return table[[*kept, *(f"{name}_{end}" for name in axes for end in ("min", "max"))]]


def describe_one(labels: NDArray[Any], label: int, *, box: tuple[slice, ...]) -> dict[str, Any]:
    """Return the row of one object that lies in `box` of labels ([Z,] Y, X)."""
    alone = np.where(labels[box] == label, labels[box], labels.dtype.type(0))
    planes = [plane_moments(plane, z=z) for z, plane in enumerate(alone.reshape(-1, *alone.shape[-2:]))]
    table = describe_objects(planes, shape=alone.shape)
    row: dict[str, Any] = {str(name): table[name].iloc[0] for name in table}
    for axis, side in zip("zyx"[3 - labels.ndim :], box, strict=True):
        for name in (f"centroid_{axis}", f"{axis}_min", f"{axis}_max"):
            row[name] += side.start
    edges = [row[f"{axis}_min"] == 0 or row[f"{axis}_max"] == labels.shape[i] for axis, i in (("y", -2), ("x", -1))]
    return {**row, "touches_border": any(edges)}


def shape_doubt(size: NDArray[Any], fill: NDArray[Any], touches_border: NDArray[Any]) -> NDArray[np.float64]:
    """Return in [0, 1] how unlikely each object is one whole object: 1 - fill * exp(-d^2 / 2).

    d is how far the log of its size lies from the median, beyond one spread, in spreads. An object cut by the border is
    not blamed for being small.
    """
    if not len(size):
        return np.zeros(0)
    logs = np.log(np.maximum(np.asarray(size, np.float64), 1))
    middle = np.median(logs)
    spread = max(NARROWEST_SPREAD, 1.4826 * float(np.median(np.abs(logs - middle))))
    away = (logs - middle) / spread
    beyond = np.maximum(np.abs(away) - 1, 0)
    beyond[np.asarray(touches_border, bool) & (away < 0)] = 0
    doubt: NDArray[np.float64] = 1 - np.asarray(fill, np.float64) * np.exp(-(beyond**2) / 2)
    return doubt


def _fill(table: pd.DataFrame, *, axes: str) -> NDArray[np.float64]:
    """Return size / size of the ellipse with the same covariance, at most 1; 1/12 is the variance of one pixel."""
    dimension = len(axes)
    size = table["size"].to_numpy(np.float64)
    covariance = np.empty((len(table), dimension, dimension))
    for i, one in enumerate(axes):
        for j, other in enumerate(axes):
            pair = one + other if one + other in table else other + one
            mean = (table[one] / size) * (table[other] / size)
            covariance[:, i, j] = table[pair] / size - mean + (1 / 12 if i == j else 0)
    unit = math.pi * 4 if dimension == 2 else 4 / 3 * math.pi * 5**1.5
    ellipse = unit * np.sqrt(np.maximum(np.linalg.det(covariance), 0)) if len(table) else np.zeros(0)
    return np.minimum(size / np.maximum(ellipse, 1e-9), 1)
