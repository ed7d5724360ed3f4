"""Between layers and arrays with axes, scale and place; main thread only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from napari.layers import Image, Labels, Layer
from napari.utils.transforms import Affine, CompositeAffine
from pint import PintError

from napari_unetseg.images.arrays import from_array
from napari_unetseg.images.axes import LETTERS, label_axes
from napari_unetseg.images.budget import byte_count
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError

METADATA = "unetseg"
"""Key of our facts in a layer's `metadata`."""
AIDS = ("preview", "weights", "augmentation", "mistakes", "split line", "focus")
"""Roles of layers that our docks add to be looked at; none is an image, labels or regions to work on."""
LARGE = 2**30
"""Bytes from which new labels are not held whole in memory."""


def data_of(layer: Layer) -> Any:
    """Return the layer's array, of a multiscale layer the finest level; nothing is computed or copied."""
    return layer.data[0] if layer.multiscale else layer.data


def is_beyond_memory(layer: Labels, *, frame_axes: int | None = None) -> bool:
    """Whether labels that are read as one looks are too large to be read whole; with `frame_axes`, their last axes."""
    data = data_of(layer)
    shape = data.shape if frame_axes is None else data.shape[-frame_axes:]
    return not isinstance(data, np.ndarray) and byte_count(shape, np.dtype(np.uint32)) > LARGE


def suggested_axes(layer: Image) -> str:
    """Return axis letters for the layer: its own labels where they are letters, else a guess from the shape."""
    data = data_of(layer)
    own = "".join(label.upper() for label in layer.axis_labels) + ("S" if layer.rgb else "")
    if len(own) == data.ndim and set(own) <= set(LETTERS) and len(set(own)) == len(own):
        return own
    return from_array(data, name=layer.name).axes.letters


def label_letters(layer: Labels, *, image: Image | None = None) -> str:
    """Return axis letters of a label map: its own, else those of its image, else a guess; none if it has no such axes.

    A guess takes a third axis for Z.
    """
    own = "".join(label.upper() for label in layer.axis_labels)
    ndim = data_of(layer).ndim
    candidates = [own, label_axes(suggested_axes(image)) if image is not None else "", "YX", "ZYX", "TZYX"]
    return next((one for one in candidates if len(one) == ndim and one == label_axes(one) and one.endswith("YX")), "")


def source_of(layer: Image, *, axes: str | None = None) -> ImageSource:
    """Return the layer as a lazy image with `axes` (none: suggested) and its pixel size in µm where it has a unit."""
    letters = axes or suggested_axes(layer)
    return from_array(data_of(layer), axes=letters, scale=pixel_size(layer, axes=letters), name=layer.name)


def pixel_size(layer: Layer, *, axes: str) -> dict[str, float]:
    """Return the size (µm) of a pixel along those of the axes Z, Y, X that have a unit of length."""
    sizes = zip(axes.replace("S", ""), micrometres(layer.scale, layer.units), strict=False)
    return {letter: size for letter, size in sizes if letter in "ZYX" and size is not None}


def placement(layer: Layer, *, axes: str, kept: str | None = None) -> dict[str, Any]:
    """Return what puts a new layer onto `layer`: scale, translate, rotate, shear, affine, units, axis labels.

    `axes` are the letters of the layer's array, `kept` those of the new one (none: those of labels, so
    neither channels nor samples, in the order TZYX).
    """
    letters = axes.replace("S", "")
    kept = label_axes(letters) if kept is None else kept
    index = [letters.index(letter) for letter in kept]
    own = {name: getattr(layer, name) for name in ("scale", "translate", "rotate", "shear", "affine")}
    if index != list(range(layer.ndim)):
        whole = CompositeAffine(own["scale"], own["translate"], rotate=own["rotate"], shear=own["shear"])
        part = whole.set_slice(index)
        own = {name: getattr(part, name) for name in ("scale", "translate", "rotate", "shear")}
        own["affine"] = Affine(affine_matrix=layer.affine.affine_matrix).set_slice(index)
    own["units"] = tuple(layer.units[i] for i in index)
    own["axis_labels"] = tuple(letter.lower() for letter in kept)
    return own


def shifted(place: dict[str, Any], start: Sequence[int]) -> dict[str, Any]:
    """Return `place` for an array that begins at pixel `start` of the one that `place` was for."""
    linear = CompositeAffine(place["scale"], place["translate"], rotate=place["rotate"], shear=place["shear"])
    return {**place, "translate": linear(np.asarray(start, float))}


def visible(layer: Layer, *, axes: str) -> tuple[slice, slice]:
    """Return rows and columns of the layer's array that the canvas shows, at least one pixel each."""
    rows, columns = (_position(axes, letter) for letter in "YX")
    corners = np.asarray(layer.corner_pixels, float)
    if layer.multiscale:
        factor = layer.downsample_factors[layer.data_level]
        corners = corners * np.asarray(factor)[-corners.shape[1] :]
    shape = data_of(layer).shape
    result = []
    for position in (rows, columns):
        start = int(np.clip(np.floor(corners[0, position]), 0, shape[position] - 1))
        stop = int(np.clip(np.ceil(corners[1, position]) + 1, start + 1, shape[position]))
        result.append(slice(start, stop))
    return result[0], result[1]


def current(layer: Layer, *, axes: str, viewer: Any) -> dict[str, int]:
    """Return the slice the viewer stands at along the layer's T and Z axes, clipped to what the layer has."""
    point = layer.world_to_data(np.asarray(viewer.dims.point)[-layer.ndim :])
    shape = data_of(layer).shape
    letters = axes.replace("S", "")
    return {
        letter: int(np.clip(round(float(point[letters.index(letter)])), 0, shape[letters.index(letter)] - 1))
        for letter in "TZ"
        if letter in letters
    }


def add_labels(viewer: Any, data: Any, *, name: str, place: dict[str, Any], facts: dict[str, Any]) -> Labels:
    """Add a Labels layer of an array, or of a list of levels; napari numbers its name where a layer has it already."""
    has_levels = isinstance(data, list)
    return viewer.add_labels(data, name=name, metadata={METADATA: facts}, multiscale=has_levels, **place)


def new_labels(viewer: Any, image: Image, *, axes: str | None = None) -> Labels:
    """Add an empty Labels layer over `image`, ready to paint object 1; of a large one memory holds what is painted."""
    letters = axes or suggested_axes(image)
    kept = label_axes(letters)
    lengths = dict(zip(letters, data_of(image).shape, strict=True))
    place = placement(image, axes=letters, kept=kept)
    empty = _empty(tuple(lengths[letter] for letter in kept))
    layer = add_labels(
        viewer, empty, name=f"{image.name} painted", place=place, facts={"role": "annotation", "source": image.name}
    )
    layer.selected_label = 1
    layer.mode = "paint"
    viewer.layers.selection.active = layer
    return layer


def role_of(layer: Layer) -> str:
    """Return what one of our layers is for; nothing for a user's own."""
    return str(layer.metadata.get(METADATA, {}).get("role", ""))


def class_names(layer: Layer) -> tuple[str, ...]:
    """Return the names of the classes that one of our layers holds, the background first; none of objects."""
    return tuple(layer.metadata.get(METADATA, {}).get("classes", ()))


def is_aid(layer: Layer) -> bool:
    """Whether one of our docks has added the layer to be looked at."""
    return role_of(layer) in AIDS


def find_result(viewer: Any, *, role: str, source: str) -> Labels | None:
    """Return our layer with this role made from the layer named `source`; a user's own layer is never found."""
    for layer in viewer.layers:
        facts = layer.metadata.get(METADATA)
        if isinstance(layer, Labels) and facts and (facts.get("role"), facts.get("source")) == (role, source):
            return layer
    return None


def replace_labels(layer: Labels, data: np.ndarray) -> None:
    """Write `data` into an editable layer as one step that napari's undo takes back."""
    old = layer.data
    if old.shape != data.shape:
        raise InputError(f"layer '{layer.name}' has shape {old.shape}, the result {data.shape}; rename or remove it")
    replace_box(layer, tuple(slice(0, length) for length in data.shape), data)


def replace_box(layer: Labels, box: tuple[slice, ...], data: np.ndarray) -> None:
    """Write `data` into one box of an editable layer as one step that napari's undo takes back."""
    old = np.asarray(layer.data[box])
    changed = np.nonzero(old != data)
    if len(changed[0]) == 0:
        return
    highest = int(data[changed].max())
    if highest > np.iinfo(old.dtype).max:
        raise InputError(
            f"layer '{layer.name}' holds '{old.dtype}', too small for object {highest:,}; "
            "convert it (right click on the layer, Convert data type), or rename it to get a new one"
        )
    where = tuple(index + side.start for index, side in zip(changed, box, strict=True))
    with layer.block_history():
        layer.data_setitem(where, data[changed].astype(old.dtype, copy=False))


def _empty(shape: tuple[int, ...]) -> Any:
    """Return zeros to paint on: an array, or where that is large, chunks that take memory when painted."""
    if byte_count(shape, np.dtype(np.int32)) <= LARGE:
        return np.zeros(shape, np.int32)
    chunks = tuple(min(length, 1024) if axis >= len(shape) - 2 else 1 for axis, length in enumerate(shape))
    return zarr.create_array(store={}, shape=shape, chunks=chunks, dtype="int32", fill_value=0)


def _position(axes: str, letter: str) -> int:
    return axes.replace("S", "").index(letter)


def micrometres(scale: Sequence[float], units: Sequence[Any]) -> list[float | None]:
    """Return the size of a pixel along each axis in µm; none where the unit is no length."""
    sizes: list[float | None] = []
    for size, unit in zip(scale, units, strict=True):
        try:
            sizes.append(float((float(size) * unit).to("micrometer").magnitude))
        except PintError:  # pixels, seconds: no length
            sizes.append(None)
    return sizes
