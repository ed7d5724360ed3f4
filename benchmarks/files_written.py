"""Ways to write labels plane by plane: this package, and plain zarr or tifffile with the same codec."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
import zarr
from zarr.codecs import ZstdCodec

from napari_unetseg.images.write import LabelWriter

Write = Callable[[Path, np.ndarray, tuple[int, ...]], None]
TILE = 1024


def ways_to_write(shape: tuple[int, ...]) -> dict[tuple[str, str], Write]:
    """Return the functions by kind of file and name; each writes one plane as often as the shape says."""
    is_tiled = 4 * shape[-2] * shape[-1] > 2**28  # then the package writes tiles
    tiff = "labels, TIFF, tiles, deflate" if is_tiled else "labels, TIFF, strips, deflate"
    return {
        ("labels, OME-Zarr, zstd", "napari-unetseg"): lambda *given: _ours(*given, kind="zarr"),
        ("labels, OME-Zarr, zstd", "zarr, with the same levels"): lambda *given: _zarr(*given, has_levels=True),
        ("labels, OME-Zarr, zstd", "zarr, one level"): lambda *given: _zarr(*given, has_levels=False),
        (tiff, "napari-unetseg"): lambda *given: _ours(*given, kind="tiff"),
        (tiff, "tifffile"): lambda *given: _tifffile(*given, is_tiled=is_tiled),
    }


def _ours(folder: Path, plane: np.ndarray, shape: tuple[int, ...], *, kind: str) -> None:
    path = folder / ("ours.zarr" if kind == "zarr" else "ours.tif")
    with LabelWriter(path, shape=shape, axes="ZYX", scale={}, format=kind, overwrite=True) as writer:  # type: ignore[arg-type]
        for number in range(shape[0]):
            writer.write((number,), plane)


def _zarr(folder: Path, plane: np.ndarray, shape: tuple[int, ...], *, has_levels: bool) -> None:
    path = folder / "plain.zarr"
    shutil.rmtree(path, ignore_errors=True)
    group = zarr.open_group(path, mode="w", zarr_format=3)
    arrays = [_level(group, 0, shape)]
    while has_levels and max(arrays[-1].shape[1:]) > TILE:
        _, height, width = arrays[-1].shape
        arrays.append(_level(group, len(arrays), (shape[0], -(-height // 2), -(-width // 2))))
    for number in range(shape[0]):
        for level, array in enumerate(arrays):
            array[number] = plane[:: 2**level, :: 2**level]


def _level(group: zarr.Group, level: int, shape: tuple[int, ...]) -> zarr.Array:
    chunks = (1, min(TILE, shape[1]), min(TILE, shape[2]))
    return group.create_array(
        str(level), shape=shape, chunks=chunks, dtype="uint32", compressors=ZstdCodec(level=1), fill_value=0
    )


def _tifffile(folder: Path, plane: np.ndarray, shape: tuple[int, ...], *, is_tiled: bool) -> None:
    parts = _tiles(plane, shape) if is_tiled else (plane for _ in range(shape[0]))
    how = {"tile": (TILE, TILE)} if is_tiled else {}
    with tifffile.TiffWriter(folder / "plain.tif", ome=True) as file:
        options = {"compression": "zlib", "metadata": {"axes": "ZYX"}, "photometric": "minisblack"}
        file.write(parts, shape=shape, dtype=np.uint32, **options, **how)


def _tiles(plane: np.ndarray, shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    for _ in range(shape[0]):
        for y in range(0, shape[1], TILE):
            for x in range(0, shape[2], TILE):
                yield plane[y : y + TILE, x : x + TILE]
