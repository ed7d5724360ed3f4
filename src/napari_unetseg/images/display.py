"""An image as an array for a viewer: whole if it is small, else a dask array that reads block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np

from napari_unetseg.images.axes import CANONICAL
from napari_unetseg.images.budget import byte_count
from napari_unetseg.images.read import ImageSource, open_image, read_labels
from napari_unetseg.images.zarr_store import is_zarr

WHOLE = 2**29
"""Bytes up to which an image is read at once."""
_EDGE = 2048


@dataclass(frozen=True)
class Picture:
    """Pixels in canonical order, those axes only that the image has; `levels` holds the finest first."""

    levels: tuple[Any, ...]
    letters: str
    scale: dict[str, float]
    is_rgb: bool = False

    @property
    def data(self) -> Any:
        """What a viewer takes: one array, or the list of levels."""
        return self.levels[0] if len(self.levels) == 1 else list(self.levels)


def picture_of(source: ImageSource, *, limit: int = WHOLE) -> Picture:
    """Return the pixels of an image; the colours of RGB come last."""
    is_rgb = "S" in source.axes.letters and "C" not in source.axes.letters and source.sizes["C"] in (3, 4)
    letters = "".join(letter for letter in CANONICAL if letter in source.axes.letters.replace("S", "C"))
    if byte_count(source.shape, source.dtype) <= limit:
        whole = tuple(slice(0, source.sizes[letter]) for letter in CANONICAL)
        pixels: Any = _read(source, whole)
    else:
        pixels = _lazily(source)
    pixels = pixels.reshape(tuple(source.sizes[letter] for letter in letters))
    if is_rgb:
        colour = letters.index("C")
        pixels = pixels.transpose([*(axis for axis in range(pixels.ndim) if axis != colour), colour])
        letters = letters.replace("C", "") + "C"
    return Picture((pixels,), letters, dict(source.scale), is_rgb)


def label_picture(path: Path, *, limit: int = WHOLE) -> Picture:
    """Return a label file: whole, so that it can be edited, if it is small; else as smaller and smaller levels."""
    source = open_image(path)
    if byte_count(source.shape, np.dtype(np.uint32)) <= limit:
        letters = "".join(letter for letter in "TZYX" if letter in source.axes.letters)
        return Picture((read_labels(path),), letters, dict(source.scale))
    first = picture_of(source, limit=limit)
    coarser, level = [], 1
    while is_zarr(path / str(level)):
        coarser.append(picture_of(open_image(path / str(level)), limit=0).levels[0])
        level += 1
    return Picture((*first.levels, *coarser), first.letters, first.scale)


def _read(source: ImageSource, where: tuple[slice, ...]) -> np.ndarray:
    """Read a TCZYX region."""
    times, channels, planes, rows, columns = where
    every = range(source.sizes["C"])
    picked = None if len(every) == channels.stop - channels.start else list(every[channels])
    parts = [
        source.read(t=t, z=planes, channels=picked, yx=(rows, columns)) for t in range(times.start, times.stop)
    ]  # (C, Z, Y, X) each
    return np.stack(parts)


def _lazily(source: ImageSource) -> Any:
    """Return a TCZYX dask array in blocks of one plane, at most 2048 x 2048."""
    edges = {"T": 1, "C": source.sizes["C"] if "S" in source.axes.letters else 1, "Z": 1, "Y": _EDGE, "X": _EDGE}

    chunks = tuple(_chunks(source.sizes[letter], edges[letter]) for letter in CANONICAL)
    empty = np.empty((0,) * len(CANONICAL), source.dtype)
    # a name of its own each time: viewers keep blocks by name, and a file may be written anew
    return da.from_array(_Canonical(source), chunks=chunks, name=False, meta=empty)  # type: ignore[no-untyped-call]


class _Canonical:
    """An image as a TCZYX array that reads what is asked for, as dask wants it."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source
        self.shape, self.ndim = tuple(source.sizes[letter] for letter in CANONICAL), len(CANONICAL)
        self.dtype = source.dtype

    def __getitem__(self, index: tuple[int | slice, ...]) -> np.ndarray:
        spans = [
            range(length)[one] if isinstance(one, slice) else range(one, one + 1)
            for one, length in zip(index, self.shape, strict=True)
        ]
        pixels = _read(self._source, tuple(slice(span.start, span.stop) for span in spans))
        kept: tuple[int | slice, ...] = tuple(slice(None) if isinstance(one, slice) else 0 for one in index)
        return pixels[kept]


def _chunks(length: int, edge: int) -> tuple[int, ...]:
    count = math.ceil(length / edge)
    return (edge,) * (count - 1) + (length - edge * (count - 1),)
