"""What training takes from layers: pairs with labels as they are now, regions, and the field on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Shapes

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.live import Field
from napari_unetseg.tasks.pairs import Pair
from napari_unetseg.widgets import _layers

LARGEST_FIELD = 1024  # pixels along an edge of what is predicted for a preview
SURROUNDINGS = 32  # pixels read around it
PLANES = 8  # read below and above the current one, for a 3D network


@dataclass(slots=True)
class LayerPair:
    """A row of the dock: two layers, and whether they are used. `axes` are those of the image."""

    image: Image | None
    labels: Labels | None
    is_used: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """Where a preview belongs: leading axes of length 1, and the transform of its layer."""

    leading: int
    transform: dict[str, Any]
    source: str


def source_of(image: Image, *, axes: str) -> ImageSource:
    """Return the image with `axes` where they have a letter for each of its axes, else as it says itself."""
    return _layers.source_of(image, axes=axes if len(axes) == _layers.data_of(image).ndim else None)


def problem_of(pair: LayerPair, *, axes: str = "") -> str:
    """Say why the pair cannot be trained on; empty where it can."""
    if pair.image is None or pair.labels is None:
        return "choose an image and its labels"
    try:
        source = source_of(pair.image, axes=axes)
    except InputError as error:
        return str(error)
    letters = label_axes(source.axes.letters)
    wanted = tuple(source.sizes[letter] for letter in letters)
    found = tuple(_layers.data_of(pair.labels).shape)
    if wanted != found:
        return (
            f"'{pair.image.name}' ({letters} {_times(wanted)}) and '{pair.labels.name}' ({_times(found)}) "
            "do not show the same pixels: choose other labels, or correct the axes below 'Annotation and axes'"
        )
    own = _layers.placement(pair.image, axes=source.axes.letters)
    for name in ("scale", "translate"):
        if not np.allclose(own[name], getattr(pair.labels, name)):
            return f"'{pair.labels.name}' has another {name} than '{pair.image.name}'; give both layers the same"
    return ""


def take_pair(pair: LayerPair, *, axes: str = "", regions: Shapes | None = None) -> Pair:
    """Copy the labels and draw the regions; pixels of the image are read later, in the job."""
    source = source_of(pair.image, axes=axes)
    return Pair(source, take_labels(pair.labels), None if regions is None else mask_of(regions, pair.labels))


def take_labels(layer: Labels) -> Any:
    """Return the labels as they are at this moment; a lazy array as it is."""
    data = _layers.data_of(layer)
    return np.array(data) if isinstance(data, np.ndarray) else data


def mask_of(regions: Shapes, labels: Labels) -> np.ndarray:
    """Return which pixels of the labels lie in one of the shapes; flat shapes count in every plane."""
    shape = _layers.data_of(labels).shape
    mask = np.zeros(shape, bool)
    flat = regions.ndim < len(shape)
    for vertices, kind in zip(regions.data, regions.shape_type, strict=True):
        world = np.array([regions.data_to_world(point) for point in vertices])
        lead = np.zeros((len(world), len(shape) - world.shape[1]))
        inside = np.array([labels.world_to_data(point) for point in np.hstack([lead, world])])
        drawn = Shapes([inside[:, -2:]], shape_type=[kind])
        area = drawn.to_masks(mask_shape=shape[-2:]).any(axis=0)
        at = tuple(np.rint(inside[0, :-2]).astype(int))
        if flat:
            mask |= area
        elif all(0 <= index < length for index, length in zip(at, shape, strict=False)):
            mask[at] |= area
    return mask


def take_field(
    pair: LayerPair, *, viewer: Any, ndim: int, channels: Sequence[int] | None = None, axes: str = ""
) -> Field:
    """Note what of the pair's image is on the screen; its middle where that is very large."""
    source = source_of(pair.image, axes=axes)
    letters = source.axes.letters
    here = {"T": 0, "Z": 0} | _layers.current(pair.image, axes=letters, viewer=viewer)
    sides = [_limited(side) for side in _layers.visible(pair.image, axes=letters)]
    sizes = [source.sizes["Y"], source.sizes["X"]]
    z: int | slice = here["Z"]
    if ndim == 3:
        sides.insert(0, slice(max(0, here["Z"] - PLANES), min(source.sizes["Z"], here["Z"] + PLANES + 1)))
        sizes.insert(0, source.sizes["Z"])
        z = sides[0]
    wide = [
        slice(max(0, side.start - SURROUNDINGS), min(size, side.stop + SURROUNDINGS)) if index >= ndim - 2 else side
        for index, (side, size) in enumerate(zip(sides, sizes, strict=True))
    ]
    kept = label_axes(letters)
    starts = {"T": here["T"], "Z": here["Z"]} | {
        letter: side.start for letter, side in zip("ZYX"[3 - ndim :], sides, strict=True)
    }
    transform = _layers.shifted(_layers.placement(pair.image, axes=letters), [starts[letter] for letter in kept])
    return Field(
        read=partial(source.read, t=here["T"], z=z, channels=channels, yx=(wide[-2], wide[-1])),
        origin=source.name,
        inner=tuple(
            slice(side.start - outer.start, side.stop - outer.start) for side, outer in zip(sides, wide, strict=True)
        ),
        where=Place(len(kept) - ndim, transform, pair.image.name),
    )


def _limited(side: slice) -> slice:
    spare = max(0, side.stop - side.start - LARGEST_FIELD)
    return slice(side.start + spare // 2, side.stop - (spare - spare // 2))


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))
