"""Where the benchmark data lie, their training and validation parts as samples, and mosaics of them."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from napari_unetseg.tasks.samples import Sample


def data_folder() -> Path:
    """Return the folder of data sets: `UNETSEG_DATA`, or `shared/data` beside the repository."""
    return Path(os.environ.get("UNETSEG_DATA", Path(__file__).parents[2] / "shared" / "data"))


def samples(name: str, part: str) -> list[Sample]:
    """Load the images of `part` ('train' or 'val') of data set `name`; grey ones among colours get three channels."""
    folder = data_folder() / name
    with (folder / "split.csv").open(encoding="utf-8") as file:
        found = [_sample(folder, row) for row in csv.DictReader(file) if row["split"] == part]
    channels = max(len(sample.image) for sample in found)
    return [
        sample if len(sample.image) == channels else replace(sample, image=np.repeat(sample.image, channels, axis=0))
        for sample in found
    ]


def halved(sample: Sample) -> Sample:
    """Return a 2D sample at half the resolution: means of 2 x 2 pixels, every second label."""
    rows, columns = (size // 2 * 2 for size in sample.labels.shape)
    pixels = sample.image[:, :rows, :columns].astype(np.float32)
    means = pixels.reshape(len(pixels), rows // 2, 2, columns // 2, 2).mean(axis=(2, 4))
    return replace(sample, image=means, labels=sample.labels[:rows:2, :columns:2].copy())


def mosaic(name: str, *, edge: int) -> np.ndarray:
    """Return a square of validation images, turned and mirrored at random, in grey and on one scale of intensity."""
    return labelled_mosaic(name, edge=edge)[0]


def labelled_mosaic(name: str, *, edge: int) -> tuple[np.ndarray, np.ndarray]:
    """Return that square and its labels; objects are cut where images meet."""
    rng = np.random.default_rng(0)
    held = samples(name, "val")
    images = [sample.image.mean(axis=0) for sample in held]
    images = [np.uint16(60000 * (one - one.min()) / max(1e-9, np.ptp(one))) for one in images]
    mosaic, labels = np.zeros((edge, edge), np.uint16), np.zeros((edge, edge), np.uint32)
    row = 0
    while row < edge:
        column, height = 0, 256
        while column < edge:
            number, turns = rng.integers(len(images)), rng.integers(4)
            tile, truth = (np.rot90(one, turns)[:height] for one in (images[number], held[number].labels))
            place = slice(row, row + len(tile)), slice(column, column + tile.shape[1])
            part = mosaic[place]
            part[:] = tile[: len(part), : part.shape[1]]
            truth = truth[: len(part), : part.shape[1]]
            labels[place] = np.where(truth > 0, truth + labels.max(), 0)
            column += tile.shape[1]
        row += height
    return mosaic, labels


def _sample(folder: Path, row: dict[str, str]) -> Sample:
    image = np.asarray(tifffile.imread(folder / "images" / row["file"]))
    labels = np.asarray(tifffile.imread(folder / "labels" / row["file"]))
    channels = image[None] if image.ndim == labels.ndim else np.moveaxis(image, -1, 0)
    return Sample(channels, labels, row["file"], pixel_size=_pixel_size(row["note"]))


def _pixel_size(note: str) -> tuple[float, ...] | None:
    """Return the sizes that a note such as "voxel zyx um 0.28 0.13 0.13" or "voxel ratio z:y:x 2.18:1:1" tells."""
    sizes = re.search(r"voxel \D*([\d.]+)[ :]([\d.]+)[ :]([\d.]+)", note)
    return None if sizes is None else tuple(float(size) for size in sizes.groups())
