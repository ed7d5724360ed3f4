"""Keep a table of objects true when labels are edited by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_unetseg.labels.measure import measure_objects, with_derived

Box = tuple[slice, ...]
Reader = Callable[[Box], NDArray[Any]]

INTENSITY = "intensity_mean_"


def remeasure(
    table: pd.DataFrame,
    labels: NDArray[Any],
    boxes: Mapping[int, Box | None],
    *,
    scale: Mapping[str, float],
    t: int = 0,
    read: Reader | None = None,
) -> pd.DataFrame:
    """Return `table` with these objects of one frame of labels ([Z,] Y, X) measured anew.

    `boxes` says where each object lies now, none for one that is gone. `table` is one of `measure_objects` or
    `merge_planes`, possibly with columns of others, which stay. `read` gives the image (C, [Z,] Y, X) in a box; without
    it intensities are left empty, and `confidence` is, since no network has seen the new object.
    """
    is_frame = table["t"] == t if "t" in table else np.ones(len(table), bool)
    is_old = table["label"].isin(list(boxes)) & is_frame
    names = [str(name).removeprefix(INTENSITY) for name in table if str(name).startswith(INTENSITY)]
    rows = [
        _measure(labels, label, box, position=position, scale=scale, read=read if names else None, names=names)
        for label, whole in boxes.items()
        if whole is not None
        for position, box in _parts(whole, table=table, t=t)
    ]
    if not rows:
        return table[~is_old].reset_index(drop=True)
    new = pd.concat(rows, ignore_index=True)
    keys = [name for name in ("t", "z", "label") if name in table and name in new]
    others = [name for name in table if name not in new and name != "confidence" and not str(name).startswith("inten")]
    new = new.merge(table[is_old][[*keys, *others]].drop_duplicates(keys), on=keys, how="left")
    result = pd.concat([table[~is_old], new.reindex(columns=table.columns)], ignore_index=True)
    return result.sort_values(keys, kind="stable", ignore_index=True).infer_objects()


def restored(table: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Return `table` with empty `confidence` filled from `known`, where that has the same object, size and box."""
    same = [name for name in known if str(name) in _WHICH or str(name).startswith("bbox_")]
    if "confidence" not in known or not set(same) <= set(table):
        return table
    before = table[same].merge(known[[*same, "confidence"]].drop_duplicates(same), on=same, how="left")["confidence"]
    return table.assign(confidence=table["confidence"].fillna(before.set_axis(table.index)))


_WHICH = ("t", "z", "label", "area_px", "volume_px")


def _parts(box: Box, *, table: pd.DataFrame, t: int) -> Iterator[tuple[dict[str, int], Box]]:
    """Yield what becomes a row each: the object, or its planes where the table has rows for planes."""
    position = {"t": t} if "t" in table else {}
    if "z" not in table or len(box) == 2:
        yield position, box
        return
    for z in range(box[0].start, box[0].stop):
        yield {**position, "z": z}, (slice(z, z + 1), *box[1:])


def _measure(
    labels: NDArray[Any],
    label: int,
    box: Box,
    *,
    position: dict[str, int],
    scale: Mapping[str, float],
    read: Reader | None,
    names: list[str],
) -> pd.DataFrame:
    """Return the row of one object, none where it has no pixel in the box."""
    alone = np.where(labels[box] == label, labels[box], labels.dtype.type(0))
    image = read(box) if read is not None else None
    if "z" in position:
        alone, image, box = alone[0], None if image is None else image[:, 0], box[1:]
    channels = names if image is not None and len(names) == len(image) else None
    table = measure_objects(alone, image if channels else None, scale={}, position=position, channels=channels)
    axes = "zyx"[3 - alone.ndim :]
    for axis, side in zip(axes, box, strict=True):
        for name in (f"centroid_{axis}_px", f"bbox_{axis}_min_px", f"bbox_{axis}_max_px"):
            table[name] += side.start
    return with_derived(table, axes=axes, scale=scale, leading=tuple(position))
