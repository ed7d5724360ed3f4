"""Read images and their labels, or masks, from files into samples for training."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_unetseg.images import layouts, normalize
from napari_unetseg.images.axes import label_axes, to_canonical
from napari_unetseg.images.grey import has_equal_colours
from napari_unetseg.images.masks import LabelReader
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.notes import GroupedNotes
from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.plausible import check_plausible
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, ItemDone, Note
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.across import planes_across
from napari_unetseg.tasks.samples import Sample

LISTED = 5
"""Images that cannot be learnt from until no more are read."""


def read_samples(
    images: Path,
    labels: Path,
    *,
    ndim: int = 2,
    channels: Sequence[int] | None = None,
    axes: str | None = None,
    normalization: NormalizationConfig | None = None,
    in_channels: int | None = None,
    three_axes: bool = False,
) -> Generator[Event, None, list[Sample]]:
    """Read paired files or folders; with `ndim` 2 every plane of a stack becomes a sample, with 3 every volume.

    With `three_axes` the planes of a Z stack across Y and X do too, for a 2D network that is to see all of them.
    Grey pictures saved in colour become grey where the network has `in_channels` 1; not given, where all images are.
    Raises `InputError` when files do not pair up or a label map has another shape than its image; one for all of them.
    """
    pairs = layouts.pair_files(images, labels)
    if layout := layouts.describe_masks([label for _, label in pairs]):
        yield Note(f"{labels}: {layout}")
    reader, notes = LabelReader(), GroupedNotes()
    samples: list[Sample] = []
    in_colour: set[str] = set()
    errors: list[InputError] = []
    for number, (image_path, label_path) in enumerate(pairs, start=1):
        try:
            source, truth = layouts.read_pair(image_path, label_path, axes=axes, reader=reader)
            check_plausible(truth, name=str(label_path))
            notes.add(source)
            new = _cut(source, truth, ndim=ndim, channels=channels, config=normalization or NormalizationConfig())
            if three_axes:
                new += _across(source, truth, channels=channels, planes=new)
        except InputError as error:
            errors.append(error)
            if len(errors) == LISTED:
                break
            continue
        in_colour |= {sample.origin for sample in new if channels is None and "S" in source.axes.letters}
        samples += new
        yield ItemDone(image_path.name, number, len(pairs))
    _check_none(errors, left=len(pairs) - number)
    for text in notes.sentences():
        yield Note(text)
    grey = _grey_origins(samples, in_colour=in_colour, in_channels=in_channels)
    if grey:
        samples = [_first_channel(sample) if sample.origin in grey else sample for sample in samples]
        yield Note(f"{counted(len(grey), 'image')} in colour, but with equal colours: taken as grey")
    if summary := reader.summary():
        yield Note(f"{labels}: {summary}")
    return samples


def _check_none(errors: Sequence[InputError], *, left: int) -> None:
    """Raise the only error there is, or one that lists them; `left` images were not looked at."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        others = f" ({left} more were not looked at)" if left else ""
        told = "\n".join(f"  {error}" for error in errors)
        raise InputError(f"{len(errors)} images cannot be learnt from{others}:\n{told}") from errors[0]


def _across(
    source: ImageSource, truth: np.ndarray, *, channels: Sequence[int] | None, planes: Sequence[Sample]
) -> list[Sample]:
    """Return the planes of a Z stack across Y and X; like its XY planes, but for the place."""
    if source.sizes["Z"] == 1:
        raise InputError(f"{source.path}: three axes need a Z axis, got axes {source.axes.letters}; pass --axes")
    volumes = to_canonical(truth, axes=label_axes(source.axes.letters))[:, 0]
    steps = [source.scale.get(letter, 0.0) for letter in "ZYX"]
    found: list[Sample] = []
    for t in range(source.sizes["T"]):
        volume = replace(
            planes[0],
            image=source.read(t=t, channels=channels),
            labels=volumes[t],
            name=source.name + f" t{t}" * (source.sizes["T"] > 1),
            pixel_size=tuple(steps) if all(steps) else None,
        )
        found += planes_across(volume, z_step=source.z_step)
    return found


def _grey_origins(samples: Sequence[Sample], *, in_colour: set[str], in_channels: int | None) -> set[str]:
    """Return the colour images to be taken as grey: those with equal colours, if the network is to see grey."""
    if in_channels not in (None, 1):
        return set()
    grey = in_colour - {one.origin for one in samples if one.origin in in_colour and not _has_equal_colours(one)}
    is_all = all(sample.origin in grey or sample.image.shape[0] == 1 for sample in samples)
    return grey if in_channels == 1 or is_all else set()


def _has_equal_colours(sample: Sample) -> bool:
    return sample.image.shape[0] in (3, 4) and has_equal_colours(sample.image)


def _first_channel(sample: Sample) -> Sample:
    stretch = sample.stretch and Stretch(sample.stretch.low[:1], sample.stretch.high[:1])
    return replace(sample, image=sample.image[:1].copy(), stretch=stretch)  # the copy lets go of the others


def _cut(
    source: ImageSource, truth: np.ndarray, *, ndim: int, channels: Sequence[int] | None, config: NormalizationConfig
) -> list[Sample]:
    """Return the planes or volumes of one stack."""
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
    samples = []
    for t in range(sizes["T"]):
        for z in range(sizes["Z"]) if ndim == 2 else [None]:
            position = f" t{t}" * (sizes["T"] > 1) + f" z{z}" * (z is not None and sizes["Z"] > 1)
            samples.append(
                Sample(
                    image=source.read(t=t, z=z, channels=channels),
                    labels=volumes[t] if z is None else volumes[t, z],
                    name=source.name + position,
                    stretch=stretch,
                    origin=str(source.path),
                    pixel_size=tuple(steps) if all(steps) else None,
                )
            )
    return samples
