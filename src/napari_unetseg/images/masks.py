"""One mask per cell: folders of such masks, and the label maps they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_unetseg.images.find import ENDINGS, list_images, natural_key
from napari_unetseg.images.read import read_labels
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

_MOST_GREY = 2**16
"""Values are looked at up to here; a mask has 8 or 16 bits."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The label map of one image, and what merging its masks met."""

    labels: np.ndarray
    masks: int
    shared: int
    """Pixels that lie in more than one mask."""
    without_object: int
    """Masks that are blank, or hidden under others."""


def merge_masks(folder: Path, *, axes: str | None = None) -> Merged:
    """Merge a folder of masks, one file per cell, into one label map; the first by name keeps shared pixels."""
    paths = mask_files(folder)
    if not paths:
        raise InputError(f"{folder}: holds no masks; expected one image file per cell ({' '.join(ENDINGS)})")
    labels = np.zeros(0, np.uint32)
    shared = np.zeros(0, bool)
    count = 0
    for path in paths:
        mask = _read_mask(path, axes=axes)
        if path is paths[0]:
            labels, shared = np.zeros(mask.shape, np.uint32), np.zeros(mask.shape, bool)
        if mask.shape != labels.shape:
            raise InputError(
                f"{path}: a mask of shape {mask.shape} among masks of {labels.shape}; all must be of one image"
            )
        is_free = labels == 0
        shared |= mask & ~is_free
        if (mask & is_free).any():
            count += 1
            labels[mask & is_free] = count
    return Merged(labels, len(paths), int(np.count_nonzero(shared)), len(paths) - count)


def _read_mask(path: Path, *, axes: str | None) -> np.ndarray:
    ids = read_labels(path, axes=axes)
    highest = int(ids.max())
    if 1 < highest < _MOST_GREY and np.bincount(np.maximum(ids, 0).ravel())[1:].all():
        raise InputError(
            f"{path}: holds the ids 1 to {highest}, as a label map does, in a folder of masks; a mask shows one cell"
        )
    mask: np.ndarray = ids != 0
    return mask


def mask_files(folder: Path) -> list[Path]:
    """Return the masks in a folder, or in the folder `masks` in it, by name."""
    return list_images(folder / "masks" if (folder / "masks").is_dir() else folder)


def mask_folders(root: Path) -> list[Path]:
    """Return the folders of masks in `root`, one for each image, by name."""
    if (root / "masks").is_dir():
        raise InputError(
            f"{root}: holds images and masks in folders of their own; give {root / 'images'} and {root / 'masks'}, "
            f"or, if those masks are all of one image, the folder above: {root.parent}"
        )
    return [folder for folder in sorted(root.iterdir(), key=natural_key) if is_mask_folder(folder)]


def is_mask_folder(path: Path) -> bool:
    """Whether this is a folder with masks in it, and no zarr store."""
    return path.is_dir() and not path.name.startswith(".") and not is_zarr(path) and bool(mask_files(path))


class LabelReader:
    """Reads label files and folders of masks, and remembers how the masks were merged."""

    def __init__(self) -> None:
        self._merged: dict[str, Merged] = {}

    def read(self, path: Path, *, axes: str | None = None) -> np.ndarray:
        """Return the ids in a label file, or those that a folder of masks makes."""
        if not path.is_dir() or is_zarr(path):
            return read_labels(path, axes=axes)
        merged = merge_masks(path, axes=axes)
        self._merged[path.name] = merged
        return merged.labels

    def summary(self) -> str:
        """Say what was merged, how many pixels were in several masks, and how many masks gave no object."""
        if not self._merged:
            return ""
        masks = sum(one.masks for one in self._merged.values())
        parts = [f"{counted(masks, 'mask')} merged into {counted(len(self._merged), 'label map')}"]
        if shared := sum(one.shared for one in self._merged.values()):
            most = max(self._merged, key=lambda name: self._merged[name].shared)
            where = f"most in {most}: {self._merged[most].shared:,}"
            parts.append(f"{counted(shared, 'pixel')} in more than one mask ({where}), kept by the first by name")
        if blank := sum(one.without_object for one in self._merged.values()):
            parts.append(f"{counted(blank, 'mask')} without an object (blank, or hidden under others)")
        return "; ".join(parts)
