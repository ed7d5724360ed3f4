"""Images and their painted labels as training samples; labels may come anew while pixels are read once."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.images.axes import label_axes, to_canonical
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.annotated import annotate
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, TileDone
from napari_unetseg.tasks.samples import Sample

MEASURED = 64
"""Planes or volumes of a stack that its intensity range is measured on, evenly spread."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image with its labels, in the order of `images.axes.label_axes`, and where these are annotated in full."""

    image: ImageSource
    labels: Any
    regions: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """How pairs become samples: `ndim` 2 takes every plane, 3 every volume; `channels` none: all of them.

    Labels are objects (`has_objects`) or classes.
    """

    ndim: int = 2
    channels: Sequence[int] | None = None
    zero_is_background: bool = True
    background_id: int | None = None
    has_objects: bool = True
    normalization: NormalizationConfig = field(default_factory=NormalizationConfig)


class Pairs:
    """Samples of pairs. Planes of which nothing is known are left out."""

    def __init__(self, pairs: Sequence[Pair], *, reading: Reading) -> None:
        self._pairs = pairs
        self._reading = reading
        self._pixels: dict[tuple[int, int, int | None], np.ndarray] = {}
        self._stretches: dict[int, Stretch] = {}

    def load(self) -> Generator[Event, None, list[Sample]]:
        """Read what is annotated, yielding after each pair."""
        found: list[Sample] = []
        for index, pair in enumerate(self._pairs):
            found += self._samples_of(index, np.asarray(pair.labels))
            yield TileDone(index + 1, len(self._pairs), pair.image.name)
        return found

    def samples(self, labels: Sequence[np.ndarray]) -> list[Sample]:
        """Return the samples with other labels, one array for each pair."""
        return [sample for index, array in enumerate(labels) for sample in self._samples_of(index, array)]

    def _samples_of(self, index: int, labels: np.ndarray) -> Iterator[Sample]:
        pair, reading = self._pairs[index], self._reading
        image, ndim = pair.image, reading.ndim
        if ndim == 3 and image.sizes["Z"] == 1:
            raise InputError(f"{image.name}: a 3D network needs an image with a Z axis, got {image.axes.letters}")
        axes = label_axes(image.axes.letters)
        volumes = to_canonical(labels, axes=axes)[:, 0]  # (T, Z, Y, X)
        regions = None if pair.regions is None else to_canonical(pair.regions, axes=axes)[:, 0]
        steps = [image.scale.get(letter, 0.0) for letter in "ZYX"[3 - ndim :]]
        spacing = tuple(steps) if all(steps) else None
        for t, z in _frames(image, ndim=ndim):
            at = (t, slice(None) if z is None else z)
            known = annotate(
                volumes[at],
                zero_is_background=reading.zero_is_background,
                background_id=reading.background_id,
                regions=None if regions is None else regions[at],
                spacing=spacing,
                has_objects=reading.has_objects,
            )
            if (known >= 0).any():
                name = (
                    image.name + f" t{t}" * (image.sizes["T"] > 1) + f" z{z}" * (z is not None and image.sizes["Z"] > 1)
                )
                pixels, stretch = self._read(index, t, z), self._stretch(index)
                yield Sample(pixels, known, name, stretch=stretch, origin=image.name, pixel_size=spacing)

    def _read(self, index: int, t: int, z: int | None) -> np.ndarray:
        key = (index, t, z)
        if key not in self._pixels:
            self._pixels[key] = self._pairs[index].image.read(t=t, z=z, channels=self._reading.channels)
        return self._pixels[key]

    def _stretch(self, index: int) -> Stretch | None:
        """Measure the stack; none when every plane is to be stretched on its own."""
        reading, image = self._reading, self._pairs[index].image
        if reading.normalization.scope == "plane" and reading.ndim == 2:
            return None
        if index not in self._stretches:
            frames = list(_frames(image, ndim=reading.ndim))
            chosen = frames[:: max(1, len(frames) // MEASURED)]
            planes = (image.read(t=t, z=z, channels=reading.channels) for t, z in chosen)
            self._stretches[index] = normalize.measure(planes, config=reading.normalization)
        return self._stretches[index]


def _frames(image: ImageSource, *, ndim: int) -> Iterator[tuple[int, int | None]]:
    for t in range(image.sizes["T"]):
        for z in range(image.sizes["Z"]) if ndim == 2 else [None]:
            yield t, z
