"""Read images and their labels, or masks, from files into samples for training."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np

from napari_unetseg.images import layouts, normalize
from napari_unetseg.images.axes import label_axes, to_canonical
from napari_unetseg.images.masks import LabelReader
from napari_unetseg.images.notes import GroupedNotes
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, ItemDone, Note
from napari_unetseg.tasks.samples import Sample


def read_samples(
    images: Path,
    labels: Path,
    *,
    ndim: int = 2,
    channels: Sequence[int] | None = None,
    axes: str | None = None,
    normalization: NormalizationConfig | None = None,
) -> Generator[Event, None, list[Sample]]:
    """Read paired files or folders; with `ndim` 2 every plane of a stack becomes a sample, with 3 every volume.

    Raises `InputError` when files do not pair up or a label map has another shape than its image.
    """
    pairs = layouts.pair_files(images, labels)
    if layout := layouts.describe_masks([label for _, label in pairs]):
        yield Note(f"{labels}: {layout}")
    reader, notes = LabelReader(), GroupedNotes()
    samples: list[Sample] = []
    for number, (image_path, label_path) in enumerate(pairs, start=1):
        source, truth = layouts.read_pair(image_path, label_path, axes=axes, reader=reader)
        notes.add(source)
        samples += _cut(source, truth, ndim=ndim, channels=channels, config=normalization or NormalizationConfig())
        yield ItemDone(image_path.name, number, len(pairs))
    for text in notes.sentences():
        yield Note(text)
    if summary := reader.summary():
        yield Note(f"{labels}: {summary}")
    return samples


def _cut(
    source: ImageSource, truth: np.ndarray, *, ndim: int, channels: Sequence[int] | None, config: NormalizationConfig
) -> Iterator[Sample]:
    """Yield the planes or volumes of one stack."""
    sizes = source.sizes
    if ndim == 3 and sizes["Z"] == 1:
        raise InputError(
            f"{source.path}: a 3D network needs a Z axis, got axes {source.axes.letters}; pass --axes or --ndim 2"
        )
    stretch = None
    if config.scope == "stack":
        planes = (source.read(t=t, z=z, channels=channels) for t in range(sizes["T"]) for z in range(sizes["Z"]))
        stretch = normalize.measure(planes, config=config)
    volumes = to_canonical(truth, axes=label_axes(source.axes.letters))[:, 0]  # (T, Z, Y, X)
    steps = [source.scale.get(letter, 0.0) for letter in "ZYX"[3 - ndim :]]
    for t in range(sizes["T"]):
        for z in range(sizes["Z"]) if ndim == 2 else [None]:
            position = f" t{t}" * (sizes["T"] > 1) + f" z{z}" * (z is not None and sizes["Z"] > 1)
            yield Sample(
                image=source.read(t=t, z=z, channels=channels),
                labels=volumes[t] if z is None else volumes[t, z],
                name=source.name + position,
                stretch=stretch,
                origin=str(source.path),
                pixel_size=tuple(steps) if all(steps) else None,
            )
