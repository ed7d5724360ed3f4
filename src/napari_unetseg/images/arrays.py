"""Arrays and .npy files as lazy sources: numpy, dask, zarr, xarray, anything sliceable with a shape and a dtype."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images.source import ImageSource, Region, axes_of, check_dtype
from napari_unetseg.images.zarr_store import letters_of
from napari_unetseg.schema.errors import InputError


def from_array(
    array: Any, *, axes: str | None = None, scale: Mapping[str, float] | None = None, name: str = "array"
) -> ImageSource:
    """Wrap anything sliceable with `shape` and `dtype` (numpy, dask, zarr, xarray, memmap) without computing it."""
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        array = np.asarray(array)
    dtype = np.dtype(array.dtype)
    check_dtype(dtype, name=name)
    shape = tuple(int(length) for length in array.shape)
    declared = letters_of(getattr(array, "dims", None), ndim=len(shape))
    resolved = axes_of(shape, declared=declared, requested=axes, dtype=dtype, name=name)
    notes = (f"{name}: {resolved.note}",) if resolved.note else ()
    kept = {axis: float(size) for axis, size in (scale or {}).items() if axis in "ZYX"}
    return ImageSource(name, None, resolved, shape, dtype.newbyteorder("="), kept, ArrayReader(array), notes)


class ArrayReader:
    """Regions of an array in memory or of a lazy one, always as a copy: the user's array is never handed out."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __call__(self, index: Region) -> np.ndarray:
        part = self._array[index]
        if hasattr(part, "__dask_graph__") and part.__dask_graph__() is not None:
            part = part.compute(callbacks=())  # not into the cache in which a viewer keeps the blocks it shows
        return np.array(part)


class _NpyReader:
    """A .npy file, mapped anew for each read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, index: Region) -> np.ndarray:
        return np.array(_map_npy(self._path)[index])


def open_npy(path: Path, *, axes: str | None) -> ImageSource:
    array = _map_npy(path)
    source = from_array(array, axes=axes, name=str(path))
    return ImageSource(path.name, path, source.axes, source.shape, source.dtype, {}, _NpyReader(path), source.notes)


def _map_npy(path: Path) -> np.ndarray:
    try:
        mapped: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, TypeError, SyntaxError, MemoryError, OverflowError) as error:
        raise InputError(f"{path}: cannot be read as .npy ({error}); save it again with numpy.save") from error
    return mapped
