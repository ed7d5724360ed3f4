"""Where the results of an image lie: its label image and its table of objects in the output folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_unetseg.images.layouts import output_names

Format = Literal["tiff", "zarr"]
REPORT = "unetseg_report.html"
"""The page that shows what became of the images of a folder."""


@dataclass(frozen=True, slots=True)
class Result:
    """The two files made from one image; the table is written last."""

    labels: Path
    table: Path

    @property
    def is_begun(self) -> bool:
        """Whether one of the files is there."""
        return self.labels.exists() or self.table.exists()

    @property
    def is_complete(self) -> bool:
        """Whether both files are there, so that the image can be left out."""
        return self.labels.exists() and self.table.exists()


def results_of(inputs: Sequence[Path], *, folder: Path, format: Format) -> dict[Path, Result]:  # noqa: A002
    """Name the results of each input: STEM_labels.tif (or .zarr) and STEM_objects.csv, never one name for two."""
    labels = output_names(inputs, folder=folder, suffix="_labels.zarr" if format == "zarr" else "_labels.tif")
    tables = output_names(inputs, folder=folder, suffix="_objects.csv")
    return {path: Result(labels[path], tables[path]) for path in labels}


def place_of(labels: Path) -> Result:
    """Return the results of which these are the labels: STEM_labels.zarr, STEM_labels.tif, or another name."""
    stem = labels.name.removesuffix(".zarr").removesuffix(".tif").removesuffix("_labels")
    return Result(labels, labels.with_name(f"{stem}_objects.csv"))


def is_within(place: Result, image: Path) -> bool:
    """Whether a result would replace the image it is made from, or a part of it, or a folder the image lies in."""
    image = image.resolve()
    targets = [path.resolve() for path in (place.labels, place.table)]
    return any(target == image or image in target.parents or target in image.parents for target in targets)
