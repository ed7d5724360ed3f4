"""Find the images that files, folders and patterns name, in natural order, without our own outputs."""

from __future__ import annotations

import glob
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from napari_unetseg.images.plates import fields_of
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.schema.errors import InputError

ENDINGS = (".tif", ".tiff", ".btf", ".tf8", ".tf2", ".lsm", ".png", ".jpg", ".jpeg", ".bmp", ".npy", ".zarr")
logger = logging.getLogger(__name__)
_OUTPUT = re.compile(r"_(labels\.(ome\.)?(tiff?|zarr)|objects\.csv)$", re.IGNORECASE)


def find_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Expand files, folders (not recursive), globs, and plates; skip hidden files and what `segment` wrote before."""
    found: list[Path] = []
    for given in inputs:
        try:
            images = [path for path in _expand(given) if not is_output(path)]
            found.extend(field for path in images for field in _fields(path) or [path])
        except OSError as error:
            raise InputError(
                f"{given}: cannot be looked at ({error.strerror or error}); check name and rights"
            ) from error
    unique = list({os.path.abspath(path): path for path in found}.values())
    if not unique:
        raise InputError(
            f"no image found in {', '.join(str(one) for one in inputs) or 'an empty list'}; "
            f"known endings are {' '.join(ENDINGS)}, and earlier outputs (*_labels.tif, *_labels.zarr) are left out"
        )
    return unique


def is_output(path: Path) -> bool:
    """Whether a name is one that this program gives to its results."""
    return _OUTPUT.search(path.name) is not None


def list_images(folder: Path) -> list[Path]:
    """Return the images directly in a folder, in natural order; entries that cannot be looked at are logged."""
    try:
        entries = sorted(folder.iterdir(), key=natural_key)
    except OSError as error:
        raise InputError(
            f"{folder}: the folder cannot be listed ({error.strerror}); check rights and connection"
        ) from error
    images = []
    for entry in entries:
        if entry.name.startswith(".") or not entry.name.lower().endswith(ENDINGS):
            continue
        try:
            is_image = is_zarr(entry) if entry.is_dir() else entry.stat() is not None
        except OSError as error:
            logger.warning("skipped %s: %s", entry, error.strerror or error)
            continue
        if is_image:
            images.append(entry)
    return images


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Sort key under which cell2 comes before cell10."""
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part.casefold()) for part in parts if part]


def _fields(path: Path) -> list[Path]:
    """Return the fields of a plate; none of other images, and of a damaged store, which is named when it is opened."""
    try:
        return fields_of(path) if is_zarr(path) else []
    except InputError as error:
        logger.warning("%s", error)
        return []


def _expand(given: str | Path) -> list[Path]:
    path = Path(given).expanduser()
    if is_zarr(path):
        return [path]
    if path.is_dir():
        return [one for one in list_images(path) if not is_output(one)]
    if path.exists() or path.is_symlink():
        return [path]
    matches = [Path(name) for name in glob.glob(str(path))]
    if not matches:
        raise InputError(f"{given}: no such file or folder, and no file matches it as a pattern")
    images = [one for one in matches if not one.name.startswith(".") and (is_zarr(one) or not one.is_dir())]
    return sorted(images, key=natural_key)
