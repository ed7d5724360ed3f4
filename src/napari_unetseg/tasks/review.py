"""Survey a label map for review: one row per object with place, size, contact with the border, and doubt."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.labels.doubt import describe_objects, plane_moments, shape_doubt
from napari_unetseg.labels.ids import check_ids
from napari_unetseg.schema.events import Event, TileDone

BAND = 2**20  # pixels measured in one go: numpy lets no other thread run meanwhile, and the window must stay alive


def survey(labels: Any, *, axes: str) -> Generator[Event, None, pd.DataFrame]:
    """Return the objects of labels with `axes` ([T,] [Z,] Y, X), read plane by plane; frames have objects of their own.

    Columns are those of `labels.doubt.describe_objects`, led by `t` (0 without time), and `doubt` in [0, 1].
    """
    frames = labels.shape[0] if "T" in axes else 1
    depth = labels.shape[-3] if "Z" in axes else 1
    height, width = labels.shape[-2:]
    rows = max(1, min(height, BAND // max(1, width)))
    bands = range(0, height, rows)
    total, done = frames * depth * len(bands), 0
    yield TileDone(done, total)
    tables = []
    for t in range(frames):
        frame = labels[t] if "T" in axes else labels
        parts = []
        for z in range(depth):
            plane = np.asarray(frame[z] if "Z" in axes else frame)
            for row in bands:
                band = plane[row : row + rows]
                check_ids(band)
                parts.append(plane_moments(band, z=z, row=row))
                done += 1
                yield TileDone(done, total)
        table = describe_objects(parts, shape=frame.shape)
        table.insert(0, "t", t)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    table["doubt"] = shape_doubt(*(table[name].to_numpy() for name in ("size", "fill", "touches_border")))
    return table
