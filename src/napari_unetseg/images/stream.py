"""Write an image plane by plane, as they come, so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import ZstdCodec

from napari_unetseg.images.atomic import (
    check_destination,
    move_into_place,
    remove,
    remove_leftovers,
    replacing,
    sync_tree,
    temporary_name,
)
from napari_unetseg.images.ome_tiff import write_ome
from napari_unetseg.schema.errors import InputError

_CHUNK = 1024
_KINDS = {"T": "time", "Z": "space", "Y": "space", "X": "space"}


def write_planes(
    path: str | Path,
    planes: Iterable[np.ndarray],
    *,
    shape: Sequence[int],
    dtype: npt.DTypeLike,
    axes: str,
    format: Literal["tiff", "zarr"] = "tiff",  # noqa: A002 - the word users know
    overwrite: bool = False,
) -> Path:
    """Write (Y, X) `planes` in C order as an OME-TIFF or OME-Zarr of `shape` ([T,] [Z,] Y, X), atomically."""
    path, shape = Path(path), tuple(int(length) for length in shape)
    if len(axes) != len(shape) or not axes.endswith("YX") or not set(axes) <= set(_KINDS):
        raise InputError(
            f"{path}: axes '{axes}' of shape {shape}; a stream of planes has the axes YX, ZYX, TYX or TZYX"
        )
    check_destination(path, overwrite=overwrite)
    if format == "zarr":
        return _write_zarr(path, planes, shape=shape, dtype=np.dtype(dtype), axes=axes)
    with replacing(path) as temporary:
        write_ome(temporary, planes, name=path.name, shape=shape, dtype=np.dtype(dtype), axes=axes, scale={})
    return path


def _write_zarr(
    path: Path, planes: Iterable[np.ndarray], *, shape: tuple[int, ...], dtype: np.dtype[np.generic], axes: str
) -> Path:
    remove_leftovers(path)
    temporary = temporary_name(path)
    try:
        group = zarr.open_group(str(temporary), mode="w-", zarr_format=3)
        array = group.create_array(
            "0",
            shape=shape,
            chunks=tuple(min(_CHUNK, n) if letter in "YX" else 1 for letter, n in zip(axes, shape, strict=True)),
            dtype=dtype,
            compressors=ZstdCodec(level=1),
            fill_value=0,
            dimension_names=[letter.lower() for letter in axes],
        )
        for position, plane in zip(np.ndindex(*shape[:-2]), planes, strict=True):
            array[position] = plane
        group.attrs["ome"] = _metadata(path.stem, axes=axes)
        sync_tree(temporary)
        move_into_place(temporary, path)
    finally:
        remove(temporary)
    return path


def _metadata(name: str, *, axes: str) -> dict[str, Any]:
    """Return OME-NGFF 0.5 metadata of one level without physical size."""
    described = [{"name": letter.lower(), "type": _KINDS[letter]} for letter in axes]
    transform = {"type": "scale", "scale": [1.0] * len(axes)}
    datasets = [{"path": "0", "coordinateTransformations": [transform]}]
    return {"version": "0.5", "multiscales": [{"name": name, "axes": described, "datasets": datasets}]}
