"""What is kept of a block as named arrays: its labels, and all that is needed to make one result of many blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.labels.blocks import Face, Part

LEVEL = 1
"""Of zstd: labels shrink about seventyfold, in less time than a disk takes to write them."""


def arrays_of(part: Part, table: pd.DataFrame, *, unusable: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield by name what is kept of a block."""
    yield "labels", part.labels
    yield "keys", part.keys
    yield "first", part.first
    yield "is_cut", part.is_cut
    yield "unusable", np.array(unusable)
    for (axis, end), (last, beyond) in part.faces.items():
        yield f"last {axis} {end}", last
        yield f"beyond {axis} {end}", beyond
    for name in table.columns:
        yield f"table {name}", table[name].to_numpy()


def summary_of(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return what is kept of the objects of a block; labels and faces are left where they are."""
    columns, rest = {}, {}
    for name in arrays:
        kind, _, detail = name.partition(" ")
        if kind == "table":
            columns[detail] = arrays[name]
        elif kind not in ("labels", "last", "beyond"):
            rest[name] = arrays[name]
    return {**rest, "table": pd.DataFrame(columns)}


def faces_of(arrays: Mapping[str, np.ndarray]) -> dict[Face, tuple[np.ndarray, np.ndarray]]:
    """Return the faces of a block."""
    found = {}
    for name in arrays:
        kind, _, detail = name.partition(" ")
        if kind == "last":
            axis, end = map(int, detail.split())
            found[axis, end] = (arrays[name], arrays[f"beyond {detail}"])
    return found


def pack(data: bytes) -> bytes:
    """Return the bytes of a file compressed."""
    from imagecodecs import zstd_encode  # here: not needed by those who only predict

    return bytes(zstd_encode(data, level=LEVEL))


def unpack(data: bytes) -> bytes:
    """Return what `pack` was given."""
    from imagecodecs import zstd_decode

    return bytes(zstd_decode(data))
