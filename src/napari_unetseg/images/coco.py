"""COCO JSON: one file for all images, with polygons or run-length masks of objects in categories."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_unetseg.images.annotation import Annotation
from napari_unetseg.images.canvas import Canvas, Drawn
from napari_unetseg.images.json_file import list_in
from napari_unetseg.images.label_ids import IGNORE, number_of_word
from napari_unetseg.images.polygons import OutlineError, Patch, fill, patch_of
from napari_unetseg.images.runs import decode_runs
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

NO_OUTLINE = "box or annotation without an outline"
NO_CATEGORY = "annotation of a category that the file does not name"


def is_coco(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a COCO file."""
    return "images" in value and "annotations" in value


def coco_classes(value: dict[str, Any], *, path: Path) -> list[str]:
    """Return the names of the categories that are classes, in the order of their ids; each needs an id of its own."""
    names = dict.fromkeys(_categories(value, path=path).values())
    return [name for name in names if number_of_word(name) is None]


def used_classes(value: dict[str, Any], *, path: Path) -> list[str]:
    """Return those of the classes that an outline is of; exports list categories that nothing is of, or only boxes."""
    categories = _categories(value, path=path)
    outlined = [one for one in list_in(value, "annotations", path=path) if _has_outline(one.get("segmentation"))]
    used = {categories.get(_key(one.get("category_id")) or "") for one in outlined}
    return [name for name in coco_classes(value, path=path) if name in used]


def read_coco(
    value: dict[str, Any], *, path: Path, numbers: Mapping[str, int] | None
) -> tuple[list[Annotation], list[str]]:
    """Return the annotations of each image of a COCO file, and notes.

    `numbers` gives the class of each category name; none: every annotation is an object. Crowds ("iscrowd") are -1,
    not annotated, where objects are wanted; categories such as "background" and "ignore" are 0 and -1. Both lie below
    all others. Polygons of one annotation are parts of one object. An image without an id of its own is an entry with
    its error.
    """
    categories = _categories(value, path=path)
    by_image: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for one in list_in(value, "annotations", path=path):
        by_image[_key(one.get("image_id"))].append(one)
    items = []
    images = list_in(value, "images", path=path)
    if not images:
        raise InputError(f"{path}: lists no images; export the annotations again")
    times = Counter(_key(image.get("id")) for image in images)
    for image in images:
        key, file = _key(image.get("id")), image.get("file_name")
        name = f"{path.name}: {file}" if isinstance(file, str) and file else f"{path.name}: image {image.get('id')}"
        if not isinstance(file, str) or not file:
            items.append(Annotation(name, error=f"{name} has no 'file_name'; export the annotations again"))
        elif key is None or times[key] > 1:
            problem = "has no id" if key is None else f"two images have the id {key}"
            items.append(Annotation(name, error=f"{name}: {problem}; export the annotations again"))
        else:
            shapes = by_image.get(key, [])
            items.append(_annotation(file, image, shapes, categories=categories, numbers=numbers, path=path))
    lost = sum(len(shapes) for key, shapes in by_image.items() if key is None or key not in times)
    notes = [f"{path.name}: {counted(lost, 'annotation')} of images that it does not list, skipped"] if lost else []
    return items, notes


def _annotation(
    file: str,
    image: dict[str, Any],
    shapes: list[dict[str, Any]],
    *,
    categories: Mapping[str, str],
    numbers: Mapping[str, int] | None,
    path: Path,
) -> Annotation:
    def category_of(one: dict[str, Any]) -> str:
        return categories.get(_key(one.get("category_id")) or "", "")

    def word_of(one: dict[str, Any]) -> int | None:
        return number_of_word(category_of(one))

    def number_of(one: dict[str, Any], *, index: int) -> int | None:
        if (word := word_of(one)) is not None:
            return word
        if numbers is not None:
            return numbers.get(category_of(one))
        return IGNORE if _is_crowd(one) else index

    def draw(source: ImageSource) -> Drawn:
        canvas = Canvas(source.sizes, name=f"{path.name}: {file}")
        canvas.check_size(height=image.get("height"), width=image.get("width"))
        ordered = sorted(shapes, key=lambda one: not _is_crowd(one) and word_of(one) is None)
        for index, one in enumerate(ordered, start=1):
            number = number_of(one, index=index)
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
    if rings := _rings(segmentation):
        return fill(rings, shape=shape)
    raise OutlineError(NO_OUTLINE)


def _has_outline(segmentation: object) -> bool:
    return isinstance(segmentation, dict) or bool(_rings(segmentation))


def _rings(segmentation: object) -> list[list[Any]]:
    """Return the polygons of an annotation, of which some exports write the only one without a list around it."""
    if not isinstance(segmentation, list) or not segmentation:
        return []
    parts = segmentation if isinstance(segmentation[0], list) else [segmentation]
    return parts if all(isinstance(part, list) for part in parts) else []


def _categories(value: dict[str, Any], *, path: Path) -> dict[str, str]:
    listed = list_in(value, "categories", path=path) if "categories" in value else []
    names: dict[str, str] = {}
    for one in sorted(listed, key=lambda one: (isinstance(one.get("id"), str), str(_key(one.get("id"))).zfill(20))):
        key = _key(one.get("id"))
        if key is None or key in names:
            problem = (
                f"the category {one.get('name')!r} has no id" if key is None else f"two categories have the id {key}"
            )
            raise InputError(f"{path}: {problem}; export the annotations again")
        names[key] = str(one.get("name", key))
    return names


def _is_crowd(annotation: dict[str, Any]) -> bool:
    return annotation.get("iscrowd") in (1, True)


def _key(number: object) -> str | None:
    """Return an id as a key: 1, 1.0 and "1" are alike; fractions, lists and the like are no ids."""
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    return str(number) or None
