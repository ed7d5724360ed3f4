"""Add pairs of image and labels to a folder for training, without ever writing over a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_unetseg.images.atomic import remove
from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.label_ids import to_ids
from napari_unetseg.images.write import write_image
from napari_unetseg.schema.errors import InputError

IMAGES, LABELS = "images", "labels"


def add_pair(
    folder: Path, name: str, image: np.ndarray, labels: np.ndarray, *, axes: str, scale: Mapping[str, float]
) -> tuple[Path, Path]:
    """Write `folder/images/NAME.tif` and `folder/labels/NAME.tif`, with a number behind the name where it is taken.

    `axes` are those of the image (e.g. "CYX"); labels have the same without channels. If the labels cannot be written,
    the image is removed again.
    """
    ids = to_ids(labels, name=name)
    if not ids.any():
        raise InputError(f"{name}: the field holds no object; add a field with corrected objects")
    try:
        for part in (IMAGES, LABELS):
            (folder / part).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    image_path, label_path = _free(folder, name)
    write_image(image_path, image, axes=axes, scale=scale)
    try:
        write_image(label_path, ids, axes=label_axes(axes), scale=scale)
    except BaseException:
        remove(image_path)
        raise
    return image_path, label_path


def _free(folder: Path, name: str) -> tuple[Path, Path]:
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "field"
    for number in range(1, 100_000):
        file = f"{stem}.tif" if number == 1 else f"{stem}-{number}.tif"
        paths = folder / IMAGES / file, folder / LABELS / file
        if not any(path.exists() or path.is_symlink() for path in paths):
            return paths
    raise InputError(f"{folder}: holds too many pairs named {stem}; choose another folder")
