"""Stretch each channel between two robust percentiles, measured over a whole stack without loading it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

CAPACITY = 8_000_000
"""Most samples kept per channel; up to so many pixels the percentiles are exact."""

THINNING = 7
"""Factor by which the sampling stride grows: image widths rarely share it, so the samples fall on all columns."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The value of each channel that becomes 0 (`low`) and the one that becomes 1 (`high`)."""

    low: tuple[float, ...]
    high: tuple[float, ...]


def measure(planes: Iterable[npt.ArrayLike], *, config: NormalizationConfig) -> Stretch:
    """Find the percentiles of each channel over all `planes`, each (C, ..., Y, X).

    Every `stride`-th pixel is kept, counted over the whole stack; the stride is 1 until `CAPACITY` is reached. So the
    result depends on the pixels and their order, not on how the stack is cut. Non-finite pixels are ignored.
    A channel that is flat between the percentiles (one small cell on a dark field) is stretched between its extremes.
    """
    steps = measure_stepwise(planes, config=config)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            stretch: Stretch = end.value
            return stretch


def measure_stepwise(planes: Iterable[npt.ArrayLike], *, config: NormalizationConfig) -> Generator[None, None, Stretch]:
    """Do what `measure` does, with a pause after each plane, in which it can be stopped."""
    sampler: _Sampler | None = None
    for plane in planes:
        array = _as_real(plane)
        sampler = sampler or _Sampler(channels=len(array))
        sampler.add(array)
        yield
    if sampler is None or sampler.seen == 0:
        raise InputError("no pixels to measure an intensity range from; give an image that is not empty")
    ranges = [_range(samples, config=config) for samples in sampler.samples()]
    return Stretch(low=tuple(low for low, _ in ranges), high=tuple(high for _, high in ranges))


def apply(array: npt.ArrayLike, *, stretch: Stretch) -> npt.NDArray[np.float32]:
    """Return (value - low) / (high - low) of each channel as a new contiguous array, the input untouched.

    Values outside the range go below 0 and above 1. A constant channel and pixels that are not finite become 0.
    """
    pixels = _as_real(array)  # (C, ...)
    if len(pixels) != len(stretch.low):
        raise InputError(
            f"the image has {counted(len(pixels), 'channel')}, its intensity range is for {len(stretch.low)}; "
            "choose the same"
        )
    result = np.zeros(pixels.shape, np.float32)
    for channel, low, high, out in zip(pixels, stretch.low, stretch.high, result, strict=True):
        if high > low:
            _stretch_channel(channel, low=low, high=high, out=out)
    return result


def _stretch_channel(channel: npt.NDArray[Any], *, low: float, high: float, out: npt.NDArray[np.float32]) -> None:
    """Write the stretched channel into `out`; float32 holds small types exactly, the others are computed in float64."""
    is_exact = channel.dtype == np.float32 or channel.dtype.itemsize <= 2
    dtype: type[np.floating[Any]] = np.float32 if is_exact and high - low < np.finfo(np.float32).max else np.float64
    with np.errstate(all="ignore"):  # non-finite pixels and absurd ranges: handled by value below
        shifted = np.subtract(channel, low, out=out if dtype is np.float32 else None, dtype=dtype, casting="same_kind")
        np.divide(shifted, high - low, out=out, dtype=dtype, casting="same_kind")
    if channel.dtype.kind == "f":
        np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _as_real(array: npt.ArrayLike) -> npt.NDArray[Any]:
    pixels = np.asarray(array)
    if pixels.dtype.kind not in "buif":
        raise InputError(f"image pixels must be real numbers, got {pixels.dtype}; convert the image first")
    if pixels.ndim < 2:
        raise InputError(f"an image needs a channel axis and pixels, got shape {pixels.shape}")
    return pixels


class _Sampler:
    """Keeps every `stride`-th pixel of a stream, thinning what it has whenever it gets too many."""

    def __init__(self, *, channels: int) -> None:
        self.seen = 0  # pixels of one channel so far
        self._stride = 1
        self._kept: list[list[npt.NDArray[Any]]] = [[] for _ in range(channels)]

    def add(self, plane: npt.NDArray[Any]) -> None:
        if len(plane) != len(self._kept):
            raise InputError(f"planes of one image differ in channels: {len(self._kept)} and {len(plane)}")
        pixels = plane[0].size
        while self.seen + pixels > CAPACITY * self._stride:
            self._stride *= THINNING
            self._kept = [[np.concatenate(kept)[::THINNING]] if kept else [] for kept in self._kept]
        first = -self.seen % self._stride
        for kept, channel in zip(self._kept, plane, strict=True):
            kept.append(_every(channel, first=first, stride=self._stride))
        self.seen += pixels

    def samples(self) -> Iterable[npt.NDArray[Any]]:
        return (np.concatenate(kept) for kept in self._kept)


def _every(channel: npt.NDArray[Any], *, first: int, stride: int) -> npt.NDArray[Any]:
    """Copy every `stride`-th pixel in C order, without a copy of the whole channel (it may be a memory map)."""
    if channel.flags.c_contiguous:
        return channel.reshape(-1)[first::stride].copy()
    return np.asarray(channel.flat[first::stride])


def _range(samples: npt.NDArray[Any], *, config: NormalizationConfig) -> tuple[float, float]:
    values = samples.astype(np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return 0.0, 0.0
    low, high = np.percentile(values, [config.low, config.high], overwrite_input=True)
    if high <= low:
        low, high = values.min(), values.max()
    return float(low), float(high)
