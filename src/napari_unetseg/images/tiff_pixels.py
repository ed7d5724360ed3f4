"""Pixels of a TIFF series: mapped where they lie bare in the file, else decoded strip by strip, never filled in."""

from __future__ import annotations

import itertools
import struct
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_unetseg.images.budget import check_allocation
from napari_unetseg.images.source import Region
from napari_unetseg.schema.errors import InputError

TIFF_FAULTS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, NotImplementedError,
    RuntimeError, OSError, MemoryError, struct.error,
)  # fmt: skip
"""What tifffile and the codecs below it raise on damaged files."""

_MOST_KEPT = 2**27
"""Bytes of decoded strips or tiles that are kept for the next region; the oldest go first."""

_PAGE_AXES = ("YX", "YXS", "SYX", "ZYX", "ZYXS", "SZYX")


class MappedReader:
    """Bare pixels, mapped anew for each read, so that neither file nor pages stay in memory in between."""

    def __init__(self, path: Path, *, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._offset, self._shape, self._dtype = path, offset, shape, dtype

    def __call__(self, index: Region) -> np.ndarray:
        try:
            mapped = np.memmap(self._path, dtype=self._dtype, mode="r", offset=self._offset, shape=self._shape)
        except (OSError, ValueError) as error:
            raise InputError(f"{self._path}: can no longer be read ({error}); was it moved or cut?") from error
        return np.array(mapped[index], dtype=self._dtype.newbyteorder("="))


class WholeReader:
    """Unusual layouts: the series is decoded once, within the memory budget, and kept."""

    def __init__(
        self, path: Path, file: tifffile.TiffFile, series: tifffile.TiffPageSeries, *, shape: tuple[int, ...]
    ) -> None:
        self._path, self._series, self._shape = path, series, shape
        self._pixels: np.ndarray | None = None
        weakref.finalize(self, file.close)

    def __call__(self, index: Region) -> np.ndarray:
        if self._pixels is None:
            check_allocation(self._shape, np.dtype(self._series.dtype), what=str(self._path))
            try:
                self._pixels = self._series.asarray().reshape(self._shape)
            except TIFF_FAULTS as error:
                raise InputError(f"{self._path}: cannot be decoded ({error}); the file is damaged") from error
        return np.array(self._pixels[index])


class SegmentReader:
    """Compressed, tiled or scattered pages: only the strips or tiles of the region are read and decoded.

    Of what was decoded of the last plane (all its channels) some is kept: the next region often lies in the same.
    """

    def __init__(
        self,
        path: Path,
        file: tifffile.TiffFile,
        series: tifffile.TiffPageSeries,
        *,
        shape: tuple[int, ...],
        letters: str,
    ) -> None:
        self._path, self._series = path, series
        page_ndim = len(series.keyframe.shape)
        self._leading, self._page_shape = shape[:-page_ndim], shape[-page_ndim:]
        self._letters = letters[: len(self._leading)]
        self._grid = _Grid(series.keyframe)
        self._lock = threading.RLock()
        self._kept: dict[tuple[int, int], np.ndarray] = {}
        self._kept_bytes = 0
        self._kept_plane: tuple[int, ...] | None = None
        weakref.finalize(self, file.close)

    @staticmethod
    def can_read(series: tifffile.TiffPageSeries, *, shape: tuple[int, ...]) -> bool:
        """Whether pages are the last axes of the series, as they nearly always are."""
        page = series.keyframe
        return series.transform is None and page.axes in _PAGE_AXES and page.shape == shape[-len(page.shape) :]

    def __call__(self, index: Region) -> np.ndarray:
        leading, inner = index[: len(self._leading)], index[len(self._leading) :]
        shape = tuple(span.stop - span.start for span in index)
        pixels = np.empty(shape, dtype=np.dtype(self._series.dtype).newbyteorder("="))
        is_whole_plane = all(span == slice(0, length) for span, length in zip(inner, self._page_shape, strict=True))
        planes = {self._plane_of(position) for position in _positions(leading)}
        keep = next(iter(planes)) if len(planes) == 1 and not is_whole_plane else None
        with self._lock:
            if keep != self._kept_plane:
                self._kept, self._kept_bytes, self._kept_plane = {}, 0, keep
        for position in _positions(leading):
            target = pixels[tuple(here - span.start for here, span in zip(position, leading, strict=True))]
            number = int(np.ravel_multi_index(position, self._leading)) if position else 0
            self._read_page(number, inner, target=target, is_kept=keep is not None)
        return pixels

    def _plane_of(self, position: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(here for here, letter in zip(position, self._letters, strict=True) if letter != "C")

    def _read_page(self, number: int, inner: Region, *, target: np.ndarray, is_kept: bool) -> None:
        region = self._grid.region_of(inner)
        block = target.reshape(tuple(span.stop - span.start for span in region))  # (S, D, L, W, C), a view
        for segment, origin in self._grid.segments(region):
            data = self._segment(number, segment, is_kept=is_kept)
            source, destination = [], []
            for start, length, span in zip(origin, (1, *data.shape), region, strict=True):
                low, high = max(start, span.start), min(start + length, span.stop)
                source.append(slice(low - start, high - start))
                destination.append(slice(low - span.start, high - span.start))
            block[tuple(destination)] = data[None][tuple(source)]

    def _segment(self, number: int, segment: int, *, is_kept: bool) -> np.ndarray:
        key = (number, segment)
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        try:
            data = self._decode(number, segment)
        except TIFF_FAULTS as error:
            total = int(np.prod(self._leading, dtype=np.int64))
            where = f"plane {number + 1} of {total} cannot be read ({self._grid.word} {segment + 1}: {error})"
            raise InputError(f"{self._path}: {where}; the file is damaged, copy or export it again") from error
        if is_kept:
            with self._lock:
                self._kept[key] = data
                self._kept_bytes += data.nbytes
                while self._kept_bytes > _MOST_KEPT and len(self._kept) > 1:
                    self._kept_bytes -= self._kept.pop(next(iter(self._kept))).nbytes
        return data

    def _decode(self, number: int, segment: int) -> np.ndarray:
        with self._lock:
            page = self._series[number]
            if page is None:
                raise ValueError("the plane is missing")
            offset, count = page.dataoffsets[segment], page.databytecounts[segment]
            data = _read_bytes(page.parent.filehandle, offset, count)
        key = self._series.keyframe if page.keyframe is None else page.keyframe
        arguments = (
            {"jpegtables": page.jpegtables, "jpegheader": key.jpegheader}
            if key.compression in (6, 7, 34892, 33007)
            else {}
        )
        decoded, _, shape = key.decode(data, segment, **arguments)
        if decoded is None:
            raise ValueError("no data")
        expected = self._grid.visible(segment)
        if any(have < want for have, want in zip(decoded.shape, expected, strict=True)):
            raise ValueError(f"{decoded.shape} pixels instead of {shape}")
        return np.asarray(decoded)


class _Grid:
    """How a page is cut into strips or tiles: normalised axes (separate sample, depth, length, width, sample)."""

    def __init__(self, page: tifffile.TiffPage) -> None:
        self.shape: tuple[int, ...] = page.shaped
        self.word = "tile" if page.is_tiled else "strip"
        _, _, length, width, samples = self.shape
        edges = (
            (page.tiledepth, page.tilelength, page.tilewidth)
            if page.is_tiled
            else (1, min(page.rowsperstrip, length), width)
        )
        self.edges = (1, *edges, samples)
        self.counts = tuple(-(-whole // edge) for whole, edge in zip(self.shape, self.edges, strict=True))
        self._axes = page.axes

    def region_of(self, inner: Region) -> Region:
        """Return the region with all five axes, from that along the page's own axes."""
        by_letter = dict(zip(self._axes, inner, strict=True))
        samples = by_letter.get("S", slice(0, 1))
        is_separate = self.shape[0] > 1
        first, last = (samples, slice(0, 1)) if is_separate else (slice(0, 1), samples)
        return (first, by_letter.get("Z", slice(0, 1)), by_letter["Y"], by_letter["X"], last)

    def segments(self, region: Region) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield number and origin of each strip or tile that the region touches."""
        ranges = [
            range(span.start // edge, -(-span.stop // edge)) for span, edge in zip(region, self.edges, strict=True)
        ]
        for position in itertools.product(*ranges):
            number = int(np.ravel_multi_index(position, self.counts))
            yield number, tuple(here * edge for here, edge in zip(position, self.edges, strict=True))

    def visible(self, segment: int) -> tuple[int, ...]:
        """Return the shape (depth, length, width, samples) of the part of a strip or tile that lies in the page."""
        position = np.unravel_index(segment, self.counts)
        return tuple(
            min(edge, whole - int(here) * edge)
            for here, edge, whole in zip(position[1:], self.edges[1:], self.shape[1:], strict=True)
        )


def _positions(leading: Region) -> Iterator[tuple[int, ...]]:
    return itertools.product(*(range(span.start, span.stop) for span in leading))


def _read_bytes(handle: tifffile.FileHandle, offset: int, count: int) -> bytes:
    """Read exactly `count` bytes; a companion file is opened for the moment."""
    is_closed = handle.closed
    if is_closed:
        handle.open()
    try:
        if offset <= 0 or count <= 0:
            raise ValueError("no data stored")
        if offset + count > handle.size:
            raise ValueError(f"bytes {offset} to {offset + count} lie beyond the end of the file ({handle.size})")
        handle.seek(offset)
        data: bytes = handle.read(count)
    finally:
        if is_closed:
            handle.close()
    if len(data) != count:
        raise ValueError(f"{len(data)} of {count} bytes could be read")
    return data
