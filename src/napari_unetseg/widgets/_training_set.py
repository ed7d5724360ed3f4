"""Add a corrected field to a training set: a pair of files in the user's folder, and a pair of layers for Train."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from napari.layers import Image, Labels

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.pairs import add_pair
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note, Saved
from napari_unetseg.widgets import _layers

ROLE = "training pair"
"""Role in the metadata of both layers of a pair; `pair` is the same word for both, `part` is "image" or "labels"."""
Region = Literal["view", "plane", "stack"]


@dataclass(frozen=True, slots=True)
class Field:
    """What to store: where it lies in the image, its labels, and how its layers are placed."""

    name: str
    image: ImageSource
    image_name: str
    labels: Any
    t: int
    z: int | None
    """A plane; none for all planes."""
    yx: tuple[slice, slice]
    place: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pair:
    """A stored field: image (C, [Z,] Y, X), its labels, and the file of the image."""

    field: Field
    image: np.ndarray
    labels: np.ndarray
    path: Path


def image_letters(image: Image, labels: str) -> str:
    """Return the axes of the image of a label map with axes `labels`."""
    suggested = _layers.suggested_axes(image)
    return labels if len(suggested) == len(labels) and not image.rgb else suggested


def misfit(layer: Labels, image: Image, *, axes: str) -> str:
    """Say why the labels do not belong to the image; empty where they do."""
    letters = image_letters(image, axes)
    sizes = dict(zip(letters, _layers.data_of(image).shape, strict=True))
    wanted = {letter: sizes.get(letter) for letter in label_axes(letters)}
    found = dict(zip(axes, _layers.data_of(layer).shape, strict=True))
    if wanted == found:
        return ""
    return f"'{image.name}' {_words(wanted)} and '{layer.name}' {_words(found)} are not of one size; choose another"


def take_field(layer: Labels, image: Image, *, axes: str, region: Region, viewer: Any) -> Field:
    """Note which field is meant and copy its labels; the image is read later, in the job."""
    problem = misfit(layer, image, axes=axes)
    if problem:
        raise InputError(problem)
    here = _layers.current(layer, axes=axes, viewer=viewer)
    kept = "ZYX" if region == "stack" and "Z" in axes else "YX"
    shape = _layers.data_of(layer).shape
    yx = _layers.visible(layer, axes=axes) if region == "view" else (slice(0, shape[-2]), slice(0, shape[-1]))
    index = (*(here[letter] for letter in "TZ" if letter in axes and letter not in kept), ...)
    labels = _layers.data_of(layer)[(*index, *yx)]
    start = [0] * (len(kept) - 2) + [yx[0].start, yx[1].start]
    place = _layers.shifted(_layers.placement(layer, axes=axes, kept=kept), start)
    parts = [f"{letter.lower()}{here[letter]}" for letter in "TZ" if letter in axes and letter not in kept]
    parts += [f"y{yx[0].start}", f"x{yx[1].start}"] if region == "view" else []
    return Field(
        name="_".join([image.name, *parts]),
        image=_layers.source_of(image, axes=image_letters(image, axes)),
        image_name=image.name,
        labels=np.array(labels) if isinstance(labels, np.ndarray) else labels,
        t=here.get("T", 0),
        z=here["Z"] if "Z" in axes and kept == "YX" else None,
        yx=yx,
        place=place,
    )


def store(field: Field, *, folder: Path) -> Generator[Event, None, Pair]:
    """Read the field and write its pair of files; runs in a job."""
    yield Note(f"adding {field.name}")
    labels = np.asarray(field.labels)
    z = 0 if field.z is None and labels.ndim == 2 else field.z
    image = field.image.read(t=field.t, z=z, yx=field.yx)
    axes = "CYX" if labels.ndim == 2 else "CZYX"
    stored, letters = (image, axes) if len(image) > 1 else (image[0], axes[1:])
    path, _ = add_pair(folder, field.name, stored, labels, axes=letters, scale=field.image.scale)
    yield Saved(path)
    return Pair(field, image, labels, path)


def add_layers(viewer: Any, pair: Pair) -> tuple[Image, Labels]:
    """Add the pair as hidden layers that the Train dock finds by their role."""
    name, place = pair.path.stem, dict(pair.field.place)
    facts = {"role": ROLE, "source": pair.field.image_name, "pair": name, "file": str(pair.path)}
    image, is_rgb = pair.image, "S" in pair.field.image.axes.letters and len(pair.image) in (3, 4)
    own = dict(place)
    if is_rgb:
        image = np.moveaxis(image, 0, -1)
    elif len(image) == 1:
        image = image[0]
    else:  # channels become an axis of their own; a rotation has no room there
        own = {
            "scale": (1, *place["scale"]),
            "translate": (0, *place["translate"]),
            "units": ("pixel", *place["units"]),
            "axis_labels": ("c", *place["axis_labels"]),
        }
    image_layer = viewer.add_image(
        image, name=name, rgb=is_rgb, visible=False, metadata={_layers.METADATA: {**facts, "part": "image"}}, **own
    )
    labels_layer = _layers.add_labels(
        viewer, pair.labels, name=f"{name} labels", place=place, facts={**facts, "part": "labels"}
    )
    labels_layer.visible = False
    return image_layer, labels_layer


def _words(sizes: dict[str, int | None]) -> str:
    return " × ".join(f"{letter} {size}" for letter, size in sizes.items())
