"""What napari calls by the manifest's commands: reader of model files, writer of labels, menu entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_error, show_info, show_warning

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.models import file, library
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.widgets import _settings
from napari_unetseg.widgets._layers import micrometres, new_labels
from napari_unetseg.widgets._models import announce_model

Reader = Callable[[str], list[tuple[None]]]


def model_reader(path: str | Sequence[str]) -> Reader | None:
    """Return the reader for a model file dropped on the viewer; none for several files, or one of another program."""
    if not isinstance(path, str):
        return model_reader(path[0]) if len(path) == 1 else None
    if not path.lower().endswith(library.SUFFIX):
        return None
    try:
        return None if file.is_foreign(path) else read_model
    except UnetSegError:
        return read_model  # which says what is wrong


def read_model(path: str | Sequence[str]) -> list[tuple[None]]:
    """Check the model in full, take it into the library if its name is free, choose it in the docks; add no layer."""
    try:
        show_info(_take_model(Path(path if isinstance(path, str) else path[0])))
    except UnetSegError as error:  # napari would wrap it into a traceback
        show_error(str(error))
    return [(None,)]


def _take_model(found: Path) -> str:
    """Return what was done with the model."""
    card, _ = file.load(found)
    _settings.use_model_folder()
    name = re.sub(r"[^\w .+\-]", "_", found.stem).strip(" .")
    known = library.available().get(name)
    if known is None:
        announce_model(library.import_model(found, name))
        return f"Model '{name}' is in your library now, and chosen in the docks."
    if known.resolve() == found.resolve() or _checksum(known) == card.sha256:
        announce_model(known)
        return f"Model '{name}' was in your library already; it is chosen in the docks."
    announce_model(found)
    return f"The library has another model named '{name}': this file is chosen in the docks, but not copied."


def write_labels_tiff(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as OME-TIFF, with pixel size and axes."""
    return _write(path, data, meta, format="tiff")


def write_labels_zarr(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as OME-Zarr, with pixel size, axes and smaller levels."""
    return _write(path, data, meta, format="zarr")


def add_training_labels(viewer: napari.Viewer) -> None:
    """Add an empty Labels layer over the selected image, or the topmost one."""
    active = viewer.layers.selection.active
    images = [layer for layer in viewer.layers if isinstance(layer, Image)]
    image = active if isinstance(active, Image) else (images or [None])[-1]
    if image is None:
        show_warning("Open an image first: the new labels lie over it.")
        return
    new_labels(viewer, image)
    show_info("Paint cells, each with its own number (key M)")


def _write(path: str, data: Any, meta: dict[str, Any], *, format: str) -> list[str]:  # noqa: A002
    array = data[0] if isinstance(data, Sequence) else data  # of several levels the finest
    letters = _letters(array.ndim, meta)
    order = [letters.index(letter) for letter in label_axes(letters)]
    axes = "".join(letters[index] for index in order)
    sizes = micrometres(meta["scale"], meta["units"]) if "units" in meta else [None] * len(letters)
    scale = {letter: size for letter, size in zip(letters, sizes, strict=True) if letter in "ZYX" and size is not None}
    ordered = array if order == list(range(array.ndim)) else array.transpose(order)
    with LabelWriter(path, shape=ordered.shape, axes=axes, scale=scale, format=format, overwrite=True) as writer:
        for index in np.ndindex(*ordered.shape[:-2]):
            writer.write(index, np.asarray(ordered[index]))
    return [path]


def _letters(ndim: int, meta: dict[str, Any]) -> str:
    """Return the layer's own axis letters where labels can have them, else those that its number of axes suggests."""
    own = "".join(str(label).upper() for label in meta.get("axis_labels", ()))
    if len(own) == ndim == len(label_axes(own)):
        return own
    if not 2 <= ndim <= 4:
        raise InputError(f"labels of {ndim} axes cannot be written; labels have the axes YX, ZYX, TYX or TZYX")
    return ("YX", "ZYX", "TZYX")[ndim - 2]


def _checksum(path: Path) -> str:
    try:
        return file.read_card(path).sha256
    except UnetSegError:
        return ""
