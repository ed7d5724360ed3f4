"""Write label maps and images: streamed plane by plane, atomically, with axes and physical size kept."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_unetseg.images.atomic import (
    check_destination,
    explained,
    move_into_place,
    remove,
    remove_leftovers,
    replacing,
    sync_file,
    sync_tree,
    temporary_name,
    write_bytes,
    write_text,
)
from napari_unetseg.images.axes import CANONICAL, LABEL_LETTERS
from napari_unetseg.images.ngff import add_levels, create_level
from napari_unetseg.images.ome_tiff import storable, write_ome
from napari_unetseg.schema.errors import InputError, JobError

__all__ = ["LabelWriter", "write_bytes", "write_image", "write_text"]

_LARGEST_ID = 2**32 - 1
_LARGEST_PLANE = 2**28
"""Bytes of a plane that is exported as one; larger ones go into the file tile by tile."""
_TILE = 1024


class LabelWriter:
    """Streams labels into a file that stands under its final name only once `close` has returned.

    Until then everything lies in a hidden folder beside it. Use it as a context manager: an exception removes that
    folder, and so does the next writer of the same destination if the process was killed. The file `outdated`, which
    belongs to what is replaced, goes with it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        shape: Sequence[int],
        axes: str,
        scale: Mapping[str, float],
        format: Literal["tiff", "zarr"] = "tiff",  # noqa: A002  (the contract's name)
        overwrite: bool = False,
        outdated: Path | None = None,
    ) -> None:
        self.path = Path(path)
        self._outdated = outdated
        self.shape, self.axes, self.scale = tuple(int(length) for length in shape), axes, dict(scale)
        self._format, self._has_levels = format, False
        _check_layout(self.path, shape=self.shape, axes=axes, format=format)
        check_destination(self.path, overwrite=overwrite)
        remove_leftovers(self.path)
        self._folder = temporary_name(self.path)
        try:
            self._folder.mkdir()
            self._group = zarr.open_group(LocalStore(self._folder / "spool"), mode="w-", zarr_format=3)
            self._labels = create_level(self._group, "0", shape=self.shape, axes=axes)
        except OSError as error:
            remove(self._folder)
            raise InputError(f"{self.path}: cannot be begun ({error.strerror}); choose another folder") from error

    def write(self, index: tuple[int | slice, ...], labels: np.ndarray) -> None:
        """Write one plane at its leading (T, Z) indices, or whole volumes at () or (t,)."""
        target = self._check_index(index)
        labels = np.asarray(labels)
        expected = _shape_at(self.shape, target)
        if labels.shape != expected:
            raise InputError(f"{self.path}: labels of shape {labels.shape} do not fit {expected} at index {index}")
        with explained(self.path):
            self._labels[target] = _as_uint32(labels, path=self.path)

    def complete(self) -> Iterator[float]:
        """Make the smaller levels of a zarr store, yielding the share that is done; else `close` does it in one go."""
        if self._format == "zarr" and not self._has_levels:
            self._has_levels = True
            with explained(self.path):
                yield from add_levels(self._group, axes=self.axes, scale=self.scale)

    def close(self) -> Path:
        """Finish the file and give it its name; the temporary folder is gone afterwards, whatever happens."""
        try:
            with explained(self.path):
                self._check_untouched()
                if self._format == "tiff":
                    finished = self._folder / "labels.tif"
                    self._export(finished)
                    sync_file(finished)
                else:
                    finished = self._folder / "spool"
                    deque(self.complete(), maxlen=0)
                    sync_tree(finished)
                if self._outdated is not None:
                    self._outdated.unlink(missing_ok=True)
                move_into_place(finished, self.path)
        finally:
            remove(self._folder)
        return self.path

    def abort(self) -> None:
        """Remove everything written so far."""
        remove(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _check_index(self, index: tuple[int | slice, ...]) -> tuple[int | slice, ...]:
        for position, length in zip(index, self.shape, strict=False):
            if not isinstance(position, slice) and not 0 <= position < length:
                raise InputError(f"{self.path}: index {index} is outside shape {self.shape}")
        if len(index) > len(self.shape):
            raise InputError(f"{self.path}: index {index} has more entries than shape {self.shape} has axes")
        return tuple(position if isinstance(position, slice) else int(position) for position in index)

    def _check_untouched(self) -> None:
        """Publish nothing if a second writer of the same destination has removed our folder."""
        if not (self._folder / "spool" / "0" / "zarr.json").is_file():
            raise JobError(
                f"{self.path}: its temporary files are gone; another run writes the same output, let it finish"
            )

    def _export(self, path: Path) -> None:
        is_large = 4 * self.shape[-2] * self.shape[-1] > _LARGEST_PLANE
        write_ome(
            path,
            self._tiles() if is_large else self._planes(),
            tile=_TILE if is_large else None,
            name=self.path.name,
            shape=self.shape,
            dtype=np.dtype(np.uint32),
            axes=self.axes,
            scale=self.scale,
        )

    def _planes(self) -> Iterator[np.ndarray]:
        for position in np.ndindex(*self.shape[:-2]):
            yield np.asarray(self._labels[position])

    def _tiles(self) -> Iterator[np.ndarray]:
        rows, columns = (range(0, length, _TILE) for length in self.shape[-2:])
        for position in np.ndindex(*self.shape[:-2]):
            for y, x in product(rows, columns):
                yield np.asarray(self._labels[(*position, slice(y, y + _TILE), slice(x, x + _TILE))])


def write_image(path: str | Path, array: np.ndarray, *, axes: str, scale: Mapping[str, float] | None = None) -> Path:
    """Write an image as OME-TIFF (zlib), atomically; axes are put in the order TCZYX(S)."""
    path, array = Path(path), np.asarray(array)
    axes = axes.upper()
    if len(axes) != array.ndim or not {"Y", "X"} <= set(axes) <= set(CANONICAL + "S") or len(set(axes)) != len(axes):
        raise InputError(f"{path}: axes '{axes}' do not name the {array.ndim} axes of shape {array.shape}")
    order = [letter for letter in CANONICAL + "S" if letter in axes]
    ordered = np.ascontiguousarray(array.transpose([axes.index(letter) for letter in order]))
    stored = storable(ordered, path=path)
    with replacing(path) as temporary:
        planes = stored.reshape(-1, *stored.shape[-3 if "S" in axes else -2 :])
        write_ome(
            temporary,
            planes,
            name=path.name,
            shape=stored.shape,
            dtype=stored.dtype,
            axes="".join(order),
            scale=scale or {},
        )
    return path


def _as_uint32(labels: np.ndarray, *, path: Path) -> np.ndarray:
    """Return ids as uint32, exactly; nothing wraps around."""
    if labels.dtype.kind not in "bui":
        raise InputError(f"{path}: labels must be integers, got '{labels.dtype}'")
    if labels.dtype != np.uint32 and labels.size:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high > _LARGEST_ID:
            raise InputError(f"{path}: label {low if low < 0 else high} does not fit; ids are 0 to {_LARGEST_ID}")
    return labels.astype(np.uint32, copy=False)


def _shape_at(shape: tuple[int, ...], index: tuple[int | slice, ...]) -> tuple[int, ...]:
    ranges = [
        range(length)[position] for position, length in zip(index, shape, strict=False) if isinstance(position, slice)
    ]
    return (*map(len, ranges), *shape[len(index) :])


def _check_layout(path: Path, *, shape: tuple[int, ...], axes: str, format: str) -> None:  # noqa: A002
    if format not in ("tiff", "zarr"):
        raise InputError(f"unknown output format '{format}'; use 'tiff' or 'zarr'")
    is_ordered = axes == "".join(letter for letter in LABEL_LETTERS if letter in axes) and axes.endswith("YX")
    if not is_ordered or len(axes) != len(shape) or min(shape) < 1:
        raise InputError(
            f"{path}: axes '{axes}' of shape {shape}; labels have the axes YX, ZYX, TYX or TZYX, none empty"
        )
    if len(os.fsencode(path.name)) > 255:
        raise InputError(
            f"{path.name}: a name of {len(os.fsencode(path.name))} bytes is too long; file systems allow 255"
        )
