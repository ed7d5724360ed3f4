"""Label files as annotations: label images and arrays, palette PNGs, masks in colours, folders of masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_unetseg.images.annotation import Annotation, AnnotationFormat
from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.colours import ColourTable, read_colour_mask
from napari_unetseg.images.find import list_images
from napari_unetseg.images.layouts import stem_of
from napari_unetseg.images.masks import merge_masks
from napari_unetseg.images.npz import read_npz
from napari_unetseg.images.raster import MAGIC, read_raster
from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError


def picture_annotation(path: Path, *, format: AnnotationFormat | None, table: ColourTable) -> Annotation:  # noqa: A002
    """Return the annotation that a label file is of the image of its name; without a `format` the content decides."""

    def draw(source: ImageSource) -> Drawn:
        if path.suffix.lower() == ".npz":
            return Drawn(read_npz(path))
        if format == "palette" and not _is_palette(path):
            raise InputError(f"{path}: has no palette; leave --format out, and what it holds is found out")
        if format == "colours" or (format is None and _has_colours(path)):
            return Drawn(read_colour_mask(path, table=table))
        return Drawn(read_labels(path))

    return Annotation(path.name, (path.name, path.stem if path.suffix.lower() == ".npz" else stem_of(path)), draw)


def mask_annotation(folder: Path, *, has_image: bool) -> Annotation:
    """Return the annotation that a folder of masks is, one for each cell; the image may lie in ID/images."""
    beside = list_images(folder / "images") if has_image and (folder / "images").is_dir() else []
    if len(beside) > 1:
        error = f"{folder / 'images'}: holds {len(beside)} images for one folder of masks; keep one"
        return Annotation(folder.name, error=error)

    def draw(source: ImageSource) -> Drawn:
        merged = merge_masks(folder)
        is_lost = merged.without_object and merged.labels.any()  # blank masks alone say that nothing is there
        lost = {"mask without an object (blank, or hidden)": merged.without_object} if is_lost else {}
        return Drawn(merged.labels, merged.shared, lost, keeper="the first by name")

    return Annotation(folder.name, tuple(beside) or (folder.name,), draw)


def _is_palette(path: Path) -> bool:
    return _is_raster(path) and read_raster(path, as_indices=True).is_palette


def _has_colours(path: Path) -> bool:
    """Whether a picture has red, green and blue that differ; indices of a palette are no colours."""
    if _is_raster(path):
        pixels = read_raster(path, as_indices=True).pixels
        return pixels.ndim == 3 and not (pixels == pixels[..., :1]).all()
    source = open_image(path)
    if "S" not in source.axes.letters or source.sizes["T"] * source.sizes["Z"] != 1:
        return False
    pixels = source.read(z=0)  # (S, Y, X)
    return not bool(np.equal(pixels, pixels[:1]).all())


def _is_raster(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(8).startswith(tuple(MAGIC))
