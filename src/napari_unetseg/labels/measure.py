"""Measure each object: place, size and intensity, in pixels and, where the pixel size is known, in µm."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_unetseg.labels.confidence import mean_foreground
from napari_unetseg.labels.ids import check_ids, compact
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted


def measure_objects(
    labels: NDArray[Any],
    image: NDArray[Any] | None,
    *,
    scale: Mapping[str, float],
    position: Mapping[str, int] | None = None,
    channels: Sequence[str | int] | None = None,
    probability: NDArray[Any] | None = None,
) -> pd.DataFrame:
    """Return one row per object of labels ([Z,] Y, X), in the order of the ids.

    `scale` is the pixel size (µm) by axis letter; columns in µm are there when it is known for all axes of the labels.
    `position` (e.g. `{"t": 3}`) becomes leading columns. Centroids are those of pixel centres; a bounding box
    ends one pixel after the object, as slices do. `image` (C, [Z,] Y, X) adds intensities, by index or by `channels`;
    `probability` (K, [Z,] Y, X), the maps the labels were decoded from, adds `confidence`.
    """
    if image is not None and image.shape[1:] != labels.shape:
        raise InputError(f"labels {labels.shape} do not fit the image {image.shape}; pass the image as (C, [Z,] Y, X)")
    check_ids(labels)
    axes = "zyx"[3 - labels.ndim :]
    where = np.flatnonzero(labels > 0)
    objects, ids = compact(labels.ravel()[where])
    index, count = objects - 1, len(ids) - 1
    size = np.bincount(index, minlength=count)
    columns: dict[str, Any] = {"label": ids[1:], _size_name(axes): size}
    if probability is not None:
        columns["confidence"] = mean_foreground(index, probability[0].ravel()[where], count=count)
    rest = where
    for i, axis in enumerate(axes):
        stride = math.prod(labels.shape[i + 1 :])
        coordinate = rest // stride
        rest = rest - coordinate * stride  # faster than divmod
        columns[f"centroid_{axis}_px"] = np.bincount(index, weights=coordinate, minlength=count) / size
        columns[f"bbox_{axis}_min_px"], highest = _range(index, coordinate, count=count)
        columns[f"bbox_{axis}_max_px"] = highest + 1
    for name, channel in zip(_names(image, channels), image if image is not None else (), strict=True):
        values = channel.ravel()[where].astype(np.float64)
        columns[f"intensity_mean_{name}"] = np.bincount(index, weights=values, minlength=count) / size
        with np.errstate(invalid="ignore"):  # a pixel that is not finite makes the whole NaN
            lowest, highest = _range(index, values, count=count)
        columns[f"intensity_min_{name}"], columns[f"intensity_max_{name}"] = lowest, highest
    leading = {name: np.full(count, value, dtype=np.int64) for name, value in (position or {}).items()}
    return with_derived(pd.DataFrame({**leading, **columns}), axes=axes, scale=scale, leading=tuple(leading))


def _range(index: NDArray[Any], values: NDArray[Any], *, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the lowest and the highest value of each of `count` objects, all of which have pixels."""
    lowest = np.empty(count, values.dtype)
    lowest[index] = values  # a value of its own to begin with
    highest = lowest.copy()
    np.minimum.at(lowest, index, values)
    np.maximum.at(highest, index, values)
    return lowest, highest


def merge_planes(table: pd.DataFrame, *, scale: Mapping[str, float] | None = None) -> pd.DataFrame:
    """Return the table of a stack measured plane by plane (column `z`) with one row per object instead of per slice.

    Without `scale` the columns in µm are left out, since the distance of the planes is not known.
    """
    keys = [key for key in ("t", "label") if key in table]
    parts = table.rename(columns={"area_px": "volume_px"}).assign(
        centroid_z_px=table["z"].astype(np.float64), bbox_z_min_px=table["z"], bbox_z_max_px=table["z"] + 1
    )
    merged = _merge(parts, keys=keys, size="volume_px")
    return with_derived(merged, axes="zyx", scale=scale or {}, leading=tuple(keys[:-1]))


def merge_parts(table: pd.DataFrame, *, axes: str, scale: Mapping[str, float]) -> pd.DataFrame:
    """Return a table with one row per object, from one whose objects have a row for each part of them, by label."""
    leading = [key for key in ("t", "z") if key in table]
    is_split = table["label"].duplicated(keep=False)
    if is_split.any():
        merged = _merge(table[is_split], keys=[*leading, "label"], size=_size_name(axes))
        table = pd.concat([table[~is_split], merged], ignore_index=True)
    table = table.sort_values("label", ignore_index=True)
    return with_derived(table, axes=axes, scale=scale, leading=tuple(leading))


def _merge(parts: pd.DataFrame, *, keys: list[str], size: str) -> pd.DataFrame:
    """Return one row for each of `keys`: sizes added, means weighted with the sizes, lowest and highest values."""
    names = [str(name) for name in parts.columns]
    averaged = ("centroid_", "intensity_mean", "confidence")
    means = [name for name in names if name.startswith(averaged) and not name.endswith("_um")]
    sums = parts[[*keys, size, *means]].astype(dict.fromkeys(means, np.float64))
    sums[means] = sums[means].mul(sums[size], axis="index")
    lows = parts[[*keys, *(name for name in names if "_min_" in name)]]
    highs = parts[[*keys, *(name for name in names if "_max_" in name)]]
    merged = pd.concat([sums.groupby(keys).sum(), lows.groupby(keys).min(), highs.groupby(keys).max()], axis="columns")
    merged[means] = merged[means].div(merged[size], axis="index")
    measured = [name for name in names if name.startswith("intensity_")]
    if parts[measured].isna().any(axis=None):  # as of the whole object: what is not finite somewhere has no mean
        is_unknown = parts[measured].isna().groupby([parts[key] for key in keys]).any()
        merged[measured] = merged[measured].mask(is_unknown)
    return merged.astype({name: parts[name].dtype for name in means}).reset_index()


def with_derived(
    table: pd.DataFrame, *, axes: str, scale: Mapping[str, float], leading: tuple[str, ...]
) -> pd.DataFrame:
    """Add what follows from the columns in pixels, and put all columns into their order."""
    size, dimension = table[_size_name(axes)], len(axes)
    table["equivalent_diameter_px"] = _diameter(size, dimension)
    steps = [float(scale.get(axis.upper(), 0)) for axis in axes]
    if all(steps):
        for axis, step in zip(axes, steps, strict=True):
            table[f"centroid_{axis}_um"] = table[f"centroid_{axis}_px"] * step
        volume = size * math.prod(steps)
        table["area_um2" if dimension == 2 else "volume_um3"] = volume
        table["equivalent_diameter_um"] = _diameter(volume, dimension)
    prefix = "intensity_mean_"
    channels = [str(name).removeprefix(prefix) for name in table.columns if str(name).startswith(prefix)]
    order = [
        *leading,
        "label",
        *(f"centroid_{axis}_{unit}" for unit in ("px", "um") for axis in axes),
        *("area_px", "area_um2", "volume_px", "volume_um3", "equivalent_diameter_px", "equivalent_diameter_um"),
        "confidence",
        *(f"bbox_{axis}_{end}_px" for end in ("min", "max") for axis in axes),
        *(f"intensity_{statistic}_{name}" for name in channels for statistic in ("mean", "min", "max")),
    ]
    return table[[name for name in order if name in table]]


def _diameter(size: pd.Series[Any], dimension: int) -> pd.Series[Any]:
    """Return the diameter of the circle or the ball of that size."""
    return (4 * size / np.pi) ** 0.5 if dimension == 2 else (6 * size / np.pi) ** (1 / 3)


def _size_name(axes: str) -> str:
    return "area_px" if len(axes) == 2 else "volume_px"


def _names(image: NDArray[Any] | None, channels: Sequence[str | int] | None) -> list[str]:
    if image is None:
        return []
    if channels is not None and len(channels) != len(image):
        raise InputError(
            f"{counted(len(channels), 'channel name')} for an image of {counted(len(image), 'channel')}; name each one"
        )
    return [str(name) for name in channels] if channels is not None else [f"c{i}" for i in range(len(image))]
