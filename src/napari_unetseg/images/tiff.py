"""TIFF files of all kinds as lazy sources; a damaged file is refused at once, never half read."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from napari_unetseg.images.axes import LETTERS, Axes
from napari_unetseg.images.budget import byte_count, check_allocation, check_total, readable
from napari_unetseg.images.source import ImageSource, Reader, axes_of, check_dtype
from napari_unetseg.images.tiff_chain import Chain, walk_chain
from napari_unetseg.images.tiff_metadata import OmeFacts, imagej_scale, read_ome, resolution_scale
from napari_unetseg.images.tiff_pixels import TIFF_FAULTS, MappedReader, SegmentReader, WholeReader
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

_SELF_DESCRIBING = ("ome", "imagej", "shaped", "lsm", "fluoview", "mmstack", "ndtiff", "stk", "scanimage")
_LARGEST_RATIO = {1: 1.0, 5: 3000.0, 8: 1100.0, 32946: 1100.0, 32773: 130.0}
"""Compression tag -> how many times larger the pixels can be at most (none, LZW, zlib, zlib, PackBits)."""


@dataclass(frozen=True, slots=True)
class _Opened:
    file: tifffile.TiffFile
    series: tifffile.TiffPageSeries
    ome: OmeFacts
    notes: tuple[str, ...]


def open_tiff(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a TIFF, BigTIFF, OME-TIFF or ImageJ file without reading its pixels."""
    chain = walk_chain(path)
    opened = _open(path, chain=chain)
    try:
        return _make_source(path, opened, chain=chain, requested=axes)
    except TIFF_FAULTS as error:
        opened.file.close()
        raise InputError(f"{path}: its structure cannot be understood ({error}); the file is damaged") from error
    except InputError:
        opened.file.close()
        raise


def _open(path: Path, *, chain: Chain) -> _Opened:
    """Let tifffile find the series; OME-XML that is dangerous or wrong is left aside with a note."""
    if chain.count == 0:
        raise InputError(f"{path}: {chain.fault}; no plane is readable, copy or export it again")
    ome = OmeFacts()
    notes: list[str] = []
    file = _open_file(path)
    try:
        if file.is_ome:
            ome = read_ome(file.pages.first.description)
            notes.extend(ome.notes)
            if ome.refused:
                file.close()
                file = _open_file(path, is_ome=False)
                notes.append(f"{path.name}: {ome.refused}; read as plain TIFF")
        with _captured_log() as log:
            series = file.series
        if not series:
            raise InputError(f"{path}: holds no image that can be read ({'; '.join(log) or 'no series'})")
    except TIFF_FAULTS as error:
        file.close()
        raise InputError(
            f"{path}: cannot be read as TIFF ({error}); {counted(chain.count, 'plane')} reachable"
        ) from error
    except InputError:
        file.close()
        raise
    if file.is_ome and ome.planes and series[0].kind != "ome":
        notes.append(f"{path.name}: its OME metadata speak of other files; read as plain TIFF")
    if len(series) > 1:
        shapes = ", ".join("x".join(map(str, one.shape)) for one in series[:4])
        notes.append(
            f"{path.name}: holds {len(series)} images ({shapes}{', ...' if len(series) > 4 else ''}); the first is read"
        )
    return _Opened(file, series[0], ome, tuple(notes))


def _open_file(path: Path, *, is_ome: bool | None = None) -> tifffile.TiffFile:
    try:
        with _captured_log():
            return tifffile.TiffFile(path) if is_ome is None else tifffile.TiffFile(path, is_ome=is_ome)
    except TIFF_FAULTS as error:
        raise InputError(f"{path}: cannot be read as TIFF ({error}); copy or export it again") from error


def _make_source(path: Path, opened: _Opened, *, chain: Chain, requested: str | None) -> ImageSource:
    series, page = opened.series, opened.series.keyframe
    if series.dtype is None:
        raise InputError(
            f"{path}: pixel type of {page.bitspersample} bits is not supported; convert it to 8 or 16 bits"
        )
    dtype = np.dtype(series.dtype)
    check_dtype(dtype, name=str(path))
    check_total(series.shape, dtype, what=str(path))
    _check_planes(path, opened, chain=chain)
    _check_extent(path, series)
    shape, _ = _shape_and_letters(series)
    axes = _resolve(path, series, requested=requested)
    scale, scale_notes = _scale(opened)
    notes = (*opened.notes, *scale_notes, *((f"{path.name}: {axes.note}",) if axes.note else ()))
    if "S" in axes.letters and shape[axes.letters.index("S")] == 4:
        notes = (
            *notes,
            f"{path.name}: 4 samples a pixel; the last may be transparency, choose channels to leave it out",
        )
    reader = _make_reader(path, opened, shape=shape, letters=axes.letters)
    kept = {axis: size for axis, size in scale.items() if axis in axes.letters}
    return ImageSource(path.name, path, axes, shape, dtype.newbyteorder("="), kept, reader, notes)


def _check_planes(path: Path, opened: _Opened, *, chain: Chain) -> None:
    """Compare what the file declares with what can be reached; tifffile would read the rest as zeros, or not at all."""
    series, page = opened.series, opened.series.keyframe
    planes = math.prod(series.get_shape(squeeze=False)) // max(math.prod(page.shape), 1)
    declared = max(planes, _declared_planes(opened))
    if series.dataoffset is not None and not series.is_multifile and declared == planes and not chain.fault:
        return
    in_chain = chain.count - page.index
    stored = sum(one is not None for one in series) if series.kind == "ome" else in_chain
    reachable = stored if series.is_multifile else max(min(stored, in_chain, declared), 0)
    if reachable < declared or chain.fault:
        what = (
            f"declares {counted(declared, 'plane')}, {reachable} readable"
            if declared > reachable
            else f"{counted(reachable, 'plane')} readable"
        )
        reason = chain.fault or "planes or companion files are missing"
        raise InputError(f"{path}: {what} ({reason}); the file is incomplete, copy or export it again")


def _declared_planes(opened: _Opened) -> int:
    """Return the number of planes by the metadata tifffile may have given up on; 0 if unknown."""
    file, series = opened.file, opened.series
    if file.is_ome:
        return 0 if series.kind == "ome" else opened.ome.planes
    if file.imagej_metadata and series.kind != "imagej":
        return int(file.imagej_metadata.get("images", 0))
    key = series.keyframe
    return _shaped_length(key.shaped_description or "") // max(math.prod(key.shape), 1)


def _shaped_length(description: str) -> int:
    """Return the number of pixels that tifffile noted as JSON when it wrote the file; 0 if unreadable."""
    try:
        return math.prod(int(length) for length in json.loads(description)["shape"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return 0


def _check_extent(path: Path, series: tifffile.TiffPageSeries) -> None:
    """Refuse pixels that cannot be in the file: beyond its end, or far more than its bytes can hold."""
    page, dtype = series.keyframe, np.dtype(series.dtype)
    size = path.stat().st_size
    if series.dataoffset is not None and not series.is_multifile:
        needed = series.dataoffset + byte_count(series.shape, dtype)
        if needed > size:
            raise InputError(
                f"{path}: declares {readable(needed)} of pixels, the file has {readable(size)}; "
                "it was cut, copy or export it again"
            )
        return
    check_allocation(page.chunks, dtype, what=f"a strip or tile of {path}")
    ends = () if series.is_multifile else (series[0], series[len(series) - 1])
    for one in (page for page in ends if page is not None):
        end = max(
            (offset + count for offset, count in zip(one.dataoffsets, one.databytecounts, strict=False)), default=0
        )
        if end > size:
            raise InputError(f"{path}: a plane ends at byte {end}, the file has {size}; it was cut, copy it again")
        stored, plane = sum(one.databytecounts), page.nbytes
        if (
            page.bitspersample in (8, 16, 32, 64)
            and plane > stored * _LARGEST_RATIO.get(int(page.compression), 1e6) + 4096
        ):
            raise InputError(
                f"{path}: declares planes of {readable(plane)} in {readable(stored)} of data; it is damaged or hostile"
            )


def _shape_and_letters(series: tifffile.TiffPageSeries) -> tuple[tuple[int, ...], str]:
    """Return shape and letters; unknown axes of length 1 are dropped, others are left to be guessed."""
    shape, letters = tuple(series.shape), str(series.axes)
    if any(letter not in LETTERS for letter in letters):
        shape, letters = tuple(series.get_shape(squeeze=True)), str(series.get_axes(squeeze=True))
    return shape, letters


def _resolve(path: Path, series: tifffile.TiffPageSeries, *, requested: str | None) -> Axes:
    shape, letters = _shape_and_letters(series)
    dtype = np.dtype(series.dtype)
    if requested is not None and series.kind not in _SELF_DESCRIBING:
        return axes_of(shape, declared=None, requested=requested, dtype=dtype, name=str(path))
    axes = axes_of(shape, declared=letters, requested=requested, dtype=dtype, name=str(path))
    if requested is None and letters == "SYX" and series.kind not in ("ome", "imagej"):
        what = f"{shape[0]} planes of {shape[1]}x{shape[2]} stored as colour samples"
        note = f"{what}: taken for channels; pass --axes ZYX if they are slices"
        return Axes(letters, is_guess=True, note=note)
    if requested is None and series.kind not in _SELF_DESCRIBING and letters not in ("YX", "YXS") and not axes.is_guess:
        note = f"axes {letters} of {'x'.join(map(str, shape))} are not certain; pass --axes to change"
        return Axes(axes.letters, is_guess=True, note=note)
    return axes


def _scale(opened: _Opened) -> tuple[dict[str, float], tuple[str, ...]]:
    if opened.ome.scale and not opened.ome.refused:
        return opened.ome.scale, ()
    metadata = opened.file.imagej_metadata
    if metadata:
        return imagej_scale(metadata, opened.file.pages.first)
    if opened.file.is_ome:
        return {}, ()
    return resolution_scale(opened.series.keyframe), ()


def _make_reader(path: Path, opened: _Opened, *, shape: tuple[int, ...], letters: str) -> Reader:
    series = opened.series
    if series.dataoffset is not None and not series.is_multifile and series.transform is None:
        dtype = np.dtype(series.dtype).newbyteorder(opened.file.byteorder)
        offset = int(series.dataoffset)
        opened.file.close()
        return MappedReader(path, offset=offset, shape=shape, dtype=dtype)
    if SegmentReader.can_read(series, shape=shape):
        return SegmentReader(path, opened.file, series, shape=shape, letters=letters)
    return WholeReader(path, opened.file, series, shape=shape)


@contextmanager
def _captured_log() -> Iterator[list[str]]:
    """Collect what tifffile logs while it opens a file: our own checks say it better, to the right place."""
    messages: list[str] = []

    class Collect(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            messages.append(record.getMessage())
            return False

    collect, logger = Collect(), logging.getLogger("tifffile")
    logger.addFilter(collect)
    try:
        yield messages
    finally:
        logger.removeFilter(collect)
