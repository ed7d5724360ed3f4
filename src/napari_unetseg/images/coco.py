"""COCO JSON: one file for all images, with polygons or run-length masks of objects in categories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.canvas import Canvas, Drawn
from napari_unetseg.images.json_file import list_in
from napari_unetseg.images.label_ids import IGNORE
from napari_unetseg.images.polygons import OutlineError, Patch, fill, patch_of
from napari_unetseg.images.runs import decode_runs
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.words import counted

NO_OUTLINE = "box or annotation without an outline"
NO_CATEGORY = "annotation of a category that the file does not name"


def is_coco(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a COCO file."""
    return "images" in value and "annotations" in value


def coco_classes(value: dict[str, Any], *, path: Path) -> list[str]:
    """Return the names of the categories, in the order of their numbers."""
    return list(dict.fromkeys(_categories(value, path=path).values()))


def read_coco(
    value: dict[str, Any], *, path: Path, numbers: Mapping[str, int] | None
) -> tuple[list[Annotation], list[str]]:
    """Return the annotations of each image of a COCO file, and notes.

    `numbers` gives the class of each category name; none: every annotation is an object. Crowds ("iscrowd") are -1,
    not annotated, where objects are wanted. Polygons of one annotation are parts of one object.
    """
    categories = _categories(value, path=path)
    by_image: dict[object, list[dict[str, Any]]] = defaultdict(list)
    for one in list_in(value, "annotations", path=path):
        by_image[_key(one.get("image_id"))].append(one)
    items = []
    for image in list_in(value, "images", path=path):
        shapes = by_image.pop(_key(image.get("id")), [])
        file = image.get("file_name")
        if not isinstance(file, str) or not file:
            name = f"{path.name}: image {image.get('id')}"
            items.append(Annotation(name, error=f"{name} has no 'file_name'; export the annotations again"))
            continue
        items.append(_annotation(file, image, shapes, categories=categories, numbers=numbers, path=path))
    lost = sum(map(len, by_image.values()))
    notes = [f"{path.name}: {counted(lost, 'annotation')} of images that it does not list, skipped"] if lost else []
    return items, notes


def _annotation(
    file: str,
    image: dict[str, Any],
    shapes: list[dict[str, Any]],
    *,
    categories: Mapping[object, str],
    numbers: Mapping[str, int] | None,
    path: Path,
) -> Annotation:
    def category_of(one: dict[str, Any]) -> str:
        return categories.get(_key(one.get("category_id")), "")

    def draw(source: ImageSource) -> Drawn:
        canvas = Canvas(source.sizes, name=f"{path.name}: {file}")
        canvas.check_size(height=image.get("height"), width=image.get("width"))
        for index, one in enumerate(sorted(shapes, key=lambda one: not _is_crowd(one)), start=1):
            number = (IGNORE if _is_crowd(one) else index) if numbers is None else numbers.get(category_of(one))
            if number is None:
                canvas.skip(NO_CATEGORY)
                continue
            try:
                canvas.paint(_patch(one.get("segmentation"), shape=canvas.plane), number=number)
            except OutlineError as problem:
                canvas.skip(str(problem))
        return canvas.finish()

    return Annotation(f"{path.name}: {file}", (file,), draw)


def _patch(segmentation: object, *, shape: tuple[int, int]) -> Patch:
    if isinstance(segmentation, dict):
        return patch_of(decode_runs(segmentation, shape=shape))
    if isinstance(segmentation, list) and segmentation:
        parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
        if all(isinstance(part, list) for part in parts):
            return fill(parts, shape=shape)
    raise OutlineError(NO_OUTLINE)


def _categories(value: dict[str, Any], *, path: Path) -> dict[object, str]:
    listed = list_in(value, "categories", path=path) if "categories" in value else []
    ordered = sorted(listed, key=lambda one: (type(one.get("id")) is not int, str(one.get("id")).zfill(20)))
    return {_key(one.get("id")): str(one.get("name", one.get("id"))) for one in ordered}


def _is_crowd(annotation: dict[str, Any]) -> bool:
    return annotation.get("iscrowd") in (1, True)


def _key(number: object) -> object:
    """Return an id as a key: numbers and texts of numbers are alike; lists and objects are none."""
    return str(number) if isinstance(number, int | str) else None
