"""The fields of a high-content screening plate (OME-NGFF 0.4 and 0.5, "plate" and "well" metadata): one image each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zarr
from zarr.storage import LocalStore

from napari_unetseg.images.zarr_store import ZARR_FAULTS, check_inside, ome_attributes
from napari_unetseg.schema.errors import InputError


def fields_of(path: Path) -> list[Path]:
    """Return the folders of all fields of a plate (well by well as it lists them) or of a well; else none."""
    try:
        plate = _attributes(path).get("plate")
        if not plate:
            return _fields(path)
        wells = [path / check_inside(str(well["path"]), root=path) for well in plate["wells"]]
        return [field for well in wells if well.is_dir() for field in _fields(well)]
    except ZARR_FAULTS as error:
        raise InputError(f"{path}: its metadata cannot be read ({error or type(error).__name__})") from error


def _fields(well: Path) -> list[Path]:
    """Return the fields of a well that are there; a well that was not imaged has no folder."""
    images = _attributes(well).get("well", {}).get("images", [])
    fields = [well / check_inside(str(image["path"]), root=well) for image in images]
    return [field for field in fields if field.is_dir()]


def _attributes(path: Path) -> dict[str, Any]:
    node = zarr.open(store=LocalStore(path, read_only=True), mode="r")
    return ome_attributes(node) if isinstance(node, zarr.Group) else {}
