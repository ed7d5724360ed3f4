"""OME-NGFF 0.5 metadata and resolution levels of a zarr label image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

_KINDS = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_COARSEST = 1024
_CHUNK = 1024


def create_level(group: zarr.Group, name: str, *, shape: Sequence[int], axes: str) -> Any:
    """Create a uint32 array in chunks of one plane, at most 1024 x 1024; chunks of zeros are stored too."""
    chunks = tuple(min(_CHUNK, length) if letter in "YX" else 1 for letter, length in zip(axes, shape, strict=True))
    return group.create_array(
        name,
        shape=tuple(shape),
        chunks=chunks,
        dtype="uint32",
        compressors=ZstdCodec(level=1),
        fill_value=0,
        dimension_names=[letter.lower() for letter in axes],
        config={"write_empty_chunks": True},  # a missing chunk of ours then always means damage
    )


def add_levels(group: zarr.Group, *, axes: str, scale: Mapping[str, float]) -> Iterator[float]:
    """Add levels, each half as large in Y and X, until one fits 1024 px; then write the metadata.

    Yields the share that is done after each chunk: in a large stack that is minutes of work.
    """
    levels: list[Any] = [group["0"]]
    while max(levels[-1].shape[-2:]) > _COARSEST:
        finer = levels[-1].shape
        shape = (*finer[:-2], *(-(-length // 2) for length in finer[-2:]))
        levels.append(create_level(group, str(len(levels)), shape=shape, axes=axes))
    total, done = sum(math.prod(level.shape) for level in levels[1:]), 0
    for finer, coarser in pairwise(levels):
        for pixels in _halve(finer, coarser):
            done += pixels
            yield done / total
    group.attrs["ome"] = _metadata(axes, scale=scale, count=len(levels))


def _halve(finer: Any, coarser: Any) -> Iterator[int]:
    """Take every second pixel of each plane (nearest: ids are never mixed); yield the pixels of each chunk."""
    rows, columns = (range(0, length, _CHUNK) for length in coarser.shape[-2:])
    for position in np.ndindex(*coarser.shape[:-2]):
        for y, x in product(rows, columns):
            part = finer[(*position, slice(2 * y, 2 * (y + _CHUNK)), slice(2 * x, 2 * (x + _CHUNK)))][::2, ::2]
            coarser[(*position, slice(y, y + _CHUNK), slice(x, x + _CHUNK))] = part
            yield part.size


def _metadata(axes: str, *, scale: Mapping[str, float], count: int) -> dict[str, Any]:
    described: list[dict[str, str]] = []
    for letter in axes:
        unit = {"unit": "micrometer"} if letter in scale else {}
        described.append({"name": letter.lower(), "type": _KINDS[letter], **unit})
    datasets = []
    for level in range(count):
        factors = [float(scale.get(letter, 1.0)) * (2**level if letter in "YX" else 1) for letter in axes]
        transform = {"type": "scale", "scale": factors}
        datasets.append({"path": str(level), "coordinateTransformations": [transform]})
    multiscale = {"name": "labels", "axes": described, "datasets": datasets, "type": "nearest"}
    return {"version": "0.5", "multiscales": [multiscale], "image-label": {}}
