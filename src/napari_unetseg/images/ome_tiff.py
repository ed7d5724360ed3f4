"""Write OME-TIFF: planes streamed as strips, pixel type without loss, physical size in µm."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_unetseg.schema.errors import InputError

_BIG = 4 * 2**30 - 2**25
"""Bytes of pixels from which the 32-bit offsets of classic TIFF might not do."""
_SOFTWARE = "napari-unetseg"
_MICROMETRES_PER_CENTIMETRE = 1e4


def write_ome(
    path: Path,
    planes: Iterable[np.ndarray],
    *,
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    axes: str,
    scale: Mapping[str, float],
    tile: int | None = None,
) -> None:
    """Stream planes into zlib strips, which ImageJ itself opens too; the same content gives the same bytes.

    With `tile` the planes come, and are stored, as square tiles of that edge in C order, those at the end as they are.
    """
    identity = f"{name} {axes} {shape} {dtype} {sorted(scale.items())}"
    metadata: dict[str, Any] = {
        "axes": axes,
        "Name": name,
        "Creator": _SOFTWARE,
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, identity)),  # the default one holds time and hardware address
    }
    sizes = {letter: float(size) for letter, size in scale.items() if letter in axes and letter in "ZYX"}
    for letter, size in sizes.items():
        metadata |= {f"PhysicalSize{letter}": size, f"PhysicalSize{letter}Unit": "µm"}
    resolution: dict[str, Any] = {}
    if {"Y", "X"} <= sizes.keys():
        per_centimetre = tuple(_MICROMETRES_PER_CENTIMETRE / sizes[letter] for letter in "XY")
        resolution = {"resolution": per_centimetre, "resolutionunit": "CENTIMETER"}
    is_big = math.prod(shape) * dtype.itemsize > _BIG
    with tifffile.TiffWriter(path, bigtiff=is_big, ome=True) as writer:
        writer.write(
            iter(planes),
            shape=shape,
            dtype=dtype,
            photometric="rgb" if "S" in axes else "minisblack",
            compression="zlib",
            metadata=metadata,
            tile=None if tile is None else (tile, tile),
            software=_SOFTWARE,
            **resolution,
        )


def storable(array: np.ndarray, *, path: Path) -> np.ndarray:
    """Return the array in a pixel type that OME knows, without loss."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    match array.dtype:
        case np.bool_:
            return array.astype(np.uint8)
        case np.float16:
            return array.astype(np.float32)
        case np.int64 | np.uint64:
            for smaller in (np.uint32, np.int32):
                limits = np.iinfo(smaller)
                if array.size and int(array.min()) >= limits.min and int(array.max()) <= limits.max:
                    return array.astype(smaller)
            raise InputError(f"{path}: 64-bit values beyond 32 bits cannot be stored in OME-TIFF; rescale them")
        case dtype if dtype.kind in "uif" and dtype.itemsize <= 8:
            return array
        case dtype:
            raise InputError(f"{path}: pixels of type '{dtype}' cannot be stored; give integers or floats")
