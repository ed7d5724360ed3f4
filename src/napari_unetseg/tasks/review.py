"""Survey a label map for review: one row per object with place, size, contact with the border, and doubt."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.labels.doubt import describe_objects, plane_moments, shape_doubt
from napari_unetseg.labels.ids import check_ids
from napari_unetseg.schema.events import Event, TileDone


def survey(labels: Any, *, axes: str) -> Generator[Event, None, pd.DataFrame]:
    """Return the objects of labels with `axes` ([T,] [Z,] Y, X), read plane by plane; frames have objects of their own.

    Columns are those of `labels.doubt.describe_objects`, led by `t` (0 without time), and `doubt` in [0, 1].
    """
    frames = labels.shape[0] if "T" in axes else 1
    depth = labels.shape[-3] if "Z" in axes else 1
    yield TileDone(0, frames * depth)
    tables = []
    for t in range(frames):
        frame = labels[t] if "T" in axes else labels
        planes = []
        for z in range(depth):
            plane = np.asarray(frame[z] if "Z" in axes else frame)
            check_ids(plane)
            planes.append(plane_moments(plane, z=z))
            yield TileDone(t * depth + z + 1, frames * depth)
        table = describe_objects(planes, shape=frame.shape)
        table.insert(0, "t", t)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table["doubt"] = shape_doubt(*(table[name].to_numpy() for name in ("size", "fill", "touches_border")))
    return table
