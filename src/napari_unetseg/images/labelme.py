"""LabelMe JSON: one file for each image, with polygons, rectangles and circles that have labels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.canvas import Canvas, Drawn
from napari_unetseg.images.json_file import list_in, read_json
from napari_unetseg.images.label_ids import IGNORE, number_of_word
from napari_unetseg.images.polygons import FEW_POINTS, OutlineError, Patch, fill, fill_ellipse, points_of
from napari_unetseg.images.source import ImageSource


def is_labelme(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a LabelMe file."""
    return "shapes" in value


def labelme_classes(value: dict[str, Any], *, path: Path) -> set[str]:
    """Return the labels in a file that are classes; those of points and lines, which are left out, are none."""
    labels = {str(shape.get("label")) for shape in list_in(value, "shapes", path=path) if _has_outline(shape)}
    return {label for label in labels if number_of_word(label) is None}


def read_labelme(value: dict[str, Any], *, path: Path, numbers: Mapping[str, int] | None) -> Annotation:
    """Return the annotations of the image of a LabelMe file; its shapes are read from it when they are drawn.

    `numbers` gives the class of each label; none: every shape is an object, and shapes of one label and group are parts
    of one. Labels such as "_background_" and "__ignore__" are 0 and -1 in both cases.
    """
    image = value.get("imagePath")
    names = (image, path.stem) if isinstance(image, str) and image else (path.stem,)

    def draw(source: ImageSource) -> Drawn:
        again = read_json(path)
        canvas = Canvas(source.sizes, name=path.name)
        canvas.check_size(height=again.get("imageHeight"), width=again.get("imageWidth"))
        groups: dict[tuple[str, str], int] = {}
        for index, shape in enumerate(list_in(again, "shapes", path=path), start=1):
            label, group = str(shape.get("label")), shape.get("group_id")
            try:
                patch = _patch(shape, shape_of=canvas.plane)
            except OutlineError as problem:
                canvas.skip(str(problem))
                continue
            number = index if group is None else groups.setdefault((label, str(group)), index)
            number = number if numbers is None else numbers.get(label, IGNORE)
            word = number_of_word(label)
            canvas.paint(patch, number=number if word is None else word)
        return canvas.finish()

    return Annotation(path.name, names, draw)


def _has_outline(shape: dict[str, Any]) -> bool:
    try:
        _outline(shape)
    except OutlineError:
        return False
    return True


def _patch(shape: dict[str, Any], *, shape_of: tuple[int, int]) -> Patch:
    kind, points = _outline(shape)
    if kind == "polygon":
        return fill([points], shape=shape_of)
    (x0, y0), (x1, y1) = points.tolist()
    if kind == "rectangle":
        return fill([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], shape=shape_of)
    radius = math.hypot(x1 - x0, y1 - y0)
    return fill_ellipse(centre=(x0, y0), radii=(radius, radius), shape=shape_of)


def _outline(shape: dict[str, Any]) -> tuple[str, np.ndarray]:
    """Return whether a shape is a polygon, rectangle or circle, and its points; others are an `OutlineError`."""
    points, kind = shape.get("points"), shape.get("shape_type") or "polygon"
    if not isinstance(points, list):
        raise OutlineError(FEW_POINTS)
    if kind == "rectangle" and len(points) > 2:
        kind = "polygon"
    if kind not in ("polygon", "rectangle", "circle"):
        raise OutlineError(f"shape of the type {str(kind)[:20]}")
    found = points_of(points)
    if kind == "polygon" and len(found) < 3:
        raise OutlineError(FEW_POINTS)
    if kind != "polygon" and len(found) != 2:
        raise OutlineError(f"{kind} without its 2 points")
    return kind, found
