"""Where the benchmark data lie, and their training and validation parts as samples."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import tifffile

from napari_unetseg.tasks.samples import Sample


def data_folder() -> Path:
    """Return the folder of data sets: `UNETSEG_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("UNETSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))


def samples(name: str, part: str) -> list[Sample]:
    """Load the images of `part` ('train' or 'val') of data set `name`, gray and two-dimensional."""
    folder = data_folder() / name
    with (folder / "split.csv").open(encoding="utf-8") as file:
        files = [row["file"] for row in csv.DictReader(file) if row["split"] == part]
    return [_sample(folder, file) for file in files]


def _sample(folder: Path, file: str) -> Sample:
    image = np.asarray(tifffile.imread(folder / "images" / file))
    labels = np.asarray(tifffile.imread(folder / "labels" / file))
    channels = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    return Sample(channels, labels, file)
