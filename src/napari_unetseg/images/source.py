"""A lazy image: what a file or an array is, and its pixels read on demand in canonical order."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images.axes import Axes, resolve_axes, sizes_of, to_canonical
from napari_unetseg.images.budget import check_allocation
from napari_unetseg.schema.errors import InputError

Region = tuple[slice, ...]
Reader = Callable[[Region], np.ndarray]
"""Gives one region: a slice (start, stop, 1) for each stored axis -> an array of as many axes, in memory of its own."""
MAX_Z_STEP = 64
"""Planes that seem to lie further apart, in pixels, are a mistake in the file."""


@dataclass(frozen=True)
class ImageSource:
    """An image whose pixels are read on demand; nothing is kept between reads but, at most, the last plane."""

    name: str
    path: Path | None
    axes: Axes
    shape: tuple[int, ...]
    """As stored, in the order of `axes.letters`."""
    dtype: np.dtype[Any]
    scale: dict[str, float]
    """Physical size in µm of a pixel along "Z", "Y", "X"; absent where unknown."""
    reader: Reader = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()
    """Sentences for the user: guesses taken, metadata ignored."""
    context: ImageSource | None = field(default=None, repr=False, compare=False)
    """Of an image that is a cut: the planes (same T and Z) it was cut from, whose intensities set its contrast."""

    @property
    def sizes(self) -> dict[str, int]:
        """Length of each of T, C, Z, Y, X; 1 where absent."""
        return sizes_of(self.shape, self.axes.letters)

    @property
    def z_step(self) -> int:
        """How many pixels of a plane lie between two planes, rounded; 1 where the voxel size is not known."""
        if not {"Z", "Y", "X"} <= self.scale.keys():
            return 1
        return min(max(1, round(self.scale["Z"] / math.sqrt(self.scale["Y"] * self.scale["X"]))), MAX_Z_STEP)

    def read(
        self,
        *,
        t: int = 0,
        z: int | slice | None = None,
        channels: Sequence[int] | None = None,
        yx: tuple[slice, slice] | None = None,
    ) -> np.ndarray:
        """Read one time point: (C, Y, X) for one plane `z`, else (C, Z, Y, X); native order, contiguous, a copy."""
        sizes = self.sizes
        rows, columns = yx or (slice(None), slice(None))
        wanted = {
            "T": self._at("T", t),
            "Z": self._at("Z", z) if isinstance(z, int | np.integer) else self._range("Z", z or slice(None)),
            "Y": self._range("Y", rows),
            "X": self._range("X", columns),
        }
        picked = range(sizes["C"]) if channels is None else [self._at("C", channel).start for channel in channels]
        count = sizes["C"] if "S" in self.axes.letters else len(picked)
        region = (count, *(wanted[letter].stop - wanted[letter].start for letter in "ZYX"))
        check_allocation(region, self.dtype, what=str(self.path or self.name))
        pixels = self._read_channels(wanted, picked)  # (C, Z, Y, X)
        if isinstance(z, int | np.integer):
            pixels = pixels[:, 0]
        return np.ascontiguousarray(pixels, dtype=self.dtype.newbyteorder("="))

    def _read_channels(self, wanted: dict[str, slice], picked: Sequence[int]) -> np.ndarray:
        letters = self.axes.letters
        is_every_channel = list(picked) == list(range(self.sizes["C"]))
        if "S" in letters or "C" not in letters or is_every_channel:
            pixels = self._read_block(wanted)
            return pixels if is_every_channel else pixels[list(picked)]
        blocks = [self._read_block({**wanted, "C": slice(channel, channel + 1)}) for channel in picked]
        return np.concatenate(blocks) if len(blocks) != 1 else blocks[0]

    def _read_block(self, wanted: dict[str, slice]) -> np.ndarray:
        index = tuple(
            wanted.get(letter, slice(0, length)) for letter, length in zip(self.axes.letters, self.shape, strict=True)
        )
        pixels: np.ndarray = to_canonical(self.reader(index), axes=self.axes.letters)[0]
        return pixels

    def _at(self, letter: str, index: int) -> slice:
        length = self.sizes[letter]
        if not 0 <= index < length:
            raise InputError(f"{self.path or self.name} has no {letter} = {index}; valid are 0 to {length - 1}")
        return slice(int(index), int(index) + 1)

    def _range(self, letter: str, span: slice) -> slice:
        start, stop, step = span.indices(self.sizes[letter])
        if step != 1 or stop <= start:
            raise InputError(
                f"{self.path or self.name}: {letter} region {span} is empty or has a step; give start < stop, step 1"
            )
        return slice(start, stop)


def axes_of(
    shape: Sequence[int], *, declared: str | None, requested: str | None, dtype: np.dtype[Any], name: str
) -> Axes:
    """Resolve axes as `resolve_axes` does; an error names the file or array."""
    try:
        return resolve_axes(shape, declared=declared, requested=requested, dtype=dtype)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def check_dtype(dtype: np.dtype[Any], *, name: str) -> None:
    """Refuse pixel types that are no real numbers."""
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(
            f"{name} holds pixels of type '{dtype}'; give real numbers (bool, integers or floats up to 64 bits)"
        )
