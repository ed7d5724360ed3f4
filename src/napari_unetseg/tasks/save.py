"""Save a label map that lies in memory, plane by plane, as OME-TIFF or OME-Zarr."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Saved, TileDone


def save_labels(
    labels: np.ndarray, *, path: Path, axes: str, scale: Mapping[str, float]
) -> Generator[Event, None, Path]:
    """Write labels (T, Z, Y, X), of whose axes `axes` are real, in the format that the name's ending says."""
    if path.suffix.lower() not in (".tif", ".tiff", ".zarr"):
        raise InputError(f"{path.name}: the ending says the format; use .tif (OME-TIFF) or .zarr (OME-Zarr)")
    letters = label_axes(axes)
    shape = tuple(labels.shape["TZYX".index(letter)] for letter in letters)
    volumes = labels.reshape(shape)
    form: Literal["tiff", "zarr"] = "zarr" if path.suffix.lower() == ".zarr" else "tiff"
    total = int(np.prod(shape[:-2]))
    with LabelWriter(path, shape=shape, axes=letters, scale=scale, format=form, overwrite=True) as writer:
        for done, index in enumerate(np.ndindex(*shape[:-2]), start=1):
            writer.write(index, volumes[index])
            yield TileDone(done, total, path.name)
    yield Saved(path)
    return path
