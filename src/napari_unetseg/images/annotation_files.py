"""Find out what annotations there are, of which format, and what each file says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_unetseg.images.annotation import Annotation, AnnotationFormat, Annotations
from napari_unetseg.images.coco import coco_classes, is_coco, read_coco, used_classes
from napari_unetseg.images.colours import read_colours, voc_table
from napari_unetseg.images.find import ENDINGS, list_images, natural_key
from napari_unetseg.images.json_file import read_json
from napari_unetseg.images.labelme import is_labelme, labelme_classes, read_labelme
from napari_unetseg.images.layouts import LABEL_SUFFIXES, stem_of
from napari_unetseg.images.listed_classes import check_list, check_listed
from napari_unetseg.images.masks import mask_folders
from napari_unetseg.images.pictures import mask_annotation, picture_annotation
from napari_unetseg.images.rois import roi_annotation
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

_GROUPS: dict[AnnotationFormat, str] = {
    "coco": "JSON file",
    "labelme": "JSON file",
    "imagej": "ImageJ ROI file",
    "labels": "label file",
    "palette": "label file",
    "colours": "label file",
    "masks": "folder of masks",
}
"""Which kind of files each format has, in a person's words."""
_SEVERAL = {"folder of masks": "folders of masks"}
"""Plurals that want more than an s."""
_KNOWN = "COCO or LabelMe .json, ImageJ .zip or .roi, label images, .npz, or a folder of masks for each image"


def find_annotations(
    place: Path,
    *,
    images: Path,
    format: AnnotationFormat | None = None,  # noqa: A002 - the word users know
    is_semantic: bool = False,
    colours: Path | None = None,
    classes: Sequence[str] = (),
) -> Annotations:
    """Return what annotations a file or folder holds; a file that cannot be read is an entry with its error.

    Where annotations lie beside their `images`, label images among them are those named STEM_labels, _masks or _mask.
    `classes` names the classes 1, 2, ...; none: COCO's have the order of their ids, LabelMe's that of the alphabet, and
    those of `colours` that of their lines.
    """
    if colours is not None and format not in (None, "colours"):
        raise InputError(f"--colours tells what colours stand for, --format {format} has none; leave one of them out")
    if classes and not (is_semantic or colours is not None):
        raise InputError("--classes numbers classes, and objects are wanted; add --semantic, or leave --classes out")
    check_list(classes)
    table = voc_table() if colours is None else read_colours(colours, listed=classes)
    format = format if colours is None else "colours"  # noqa: A001
    group, paths = _choose(_list(place, images=images, format=format), place=place, format=format)
    match group:
        case "JSON file":
            return _read_json_files(paths, format=format, is_semantic=is_semantic, listed=classes)
        case _ if classes and colours is None:
            raise InputError(
                f"{place}: {_plural(group)} have numbers of classes, no names to look up in --classes; leave it out "
                "here, and give it to 'train'"
            )
        case "ImageJ ROI file":
            items = [roi_annotation(path, is_semantic=is_semantic) for path in paths]
        case "folder of masks":
            items = [mask_annotation(path, has_image=_is_same(place, images)) for path in paths]
        case _:
            items = [picture_annotation(path, format=format, table=table) for path in paths]
    return Annotations(tuple(items), classes=table.names, files=tuple(paths))


def _list(place: Path, *, images: Path, format: AnnotationFormat | None) -> dict[str, list[Path]]:  # noqa: A002
    """Return the files of each kind."""
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder of annotations; check the path")
    is_folder = place.is_dir() and not is_zarr(place)
    files = sorted((path for path in place.iterdir() if _is_plain(path)), key=natural_key) if is_folder else [place]
    pictures = list_images(place) if is_folder else [path for path in files if path.name.lower().endswith(ENDINGS)]
    if is_folder and _is_same(place, images):
        pictures = [path for path in pictures if stem_of(path).endswith(LABEL_SUFFIXES[1:])]
    groups = {
        "JSON file": [path for path in files if path.suffix.lower() == ".json"],
        "ImageJ ROI file": [path for path in files if path.suffix.lower() in (".zip", ".roi")],
        "label file": sorted([*pictures, *(path for path in files if path.suffix.lower() == ".npz")], key=natural_key),
    }
    if is_folder and (format == "masks" or not any(groups.values())):
        groups["folder of masks"] = mask_folders(place)
    return {name: paths for name, paths in groups.items() if paths}


def _is_plain(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _is_same(place: Path, images: Path) -> bool:
    return place.resolve() == images.resolve()


def _choose(
    groups: Mapping[str, list[Path]],
    *,
    place: Path,
    format: AnnotationFormat | None,  # noqa: A002
) -> tuple[str, list[Path]]:
    if format is not None:
        groups = {name: paths for name, paths in groups.items() if name == _GROUPS[format]}
    if not groups:
        group = _GROUPS[format] if format else "annotation"
        raise InputError(
            f"{place}: holds no {_plural(group)}; known are {_KNOWN} (label images beside their images are named "
            "STEM_labels)"
        )
    if len(groups) > 1:
        held = ", ".join(counted(len(paths), name, _SEVERAL.get(name, "")) for name, paths in groups.items())
        raise InputError(f"{place}: holds {held}; say with --format which are the annotations")
    return next(iter(groups.items()))


def _plural(group: str) -> str:
    return _SEVERAL.get(group, f"{group}s")


def _read_json_files(
    paths: list[Path],
    *,
    format: AnnotationFormat | None,  # noqa: A002
    is_semantic: bool,
    listed: Sequence[str],
) -> Annotations:
    """Read COCO and LabelMe files in their order; classes are numbered as they are `listed`, else over all of them."""
    values: dict[Path, dict[str, Any]] = {}
    errors: dict[Path, str] = {}
    names: list[str] = []
    labels: set[str] = set()
    used: dict[str, Path] = {}

    def look(path: Path) -> None:
        value = read_json(path)
        if format != "labelme" and is_coco(value):
            names.extend(name for name in coco_classes(value, path=path) if name not in names)
            used.update(dict.fromkeys(used_classes(value, path=path), path))
            values[path] = value
        elif format != "coco" and is_labelme(value):
            labels.update(found := labelme_classes(value, path=path))
            used.update(dict.fromkeys(sorted(found), path))
            values[path] = {"imagePath": value.get("imagePath")}  # neither shapes nor the pixels some files hold
        else:
            known = {"coco": "COCO", "labelme": "LabelMe"}.get(format or "", "COCO or LabelMe")
            raise InputError(f"{path}: is no {known} file; export the annotations as COCO or LabelMe JSON")

    for path in paths:
        _noting(errors, path, look)
    if listed:
        unlisted = [name for name in used if name not in listed]
        check_listed(unlisted, listed=listed, where=str(used[unlisted[0]]) if unlisted else "")
    classes = tuple(listed or dict.fromkeys([*names, *sorted(labels)])) if is_semantic else ()
    numbers = {name: number for number, name in enumerate(classes, start=1)} if is_semantic else None
    items: dict[Path, list[Annotation]] = {}
    notes: list[str] = []

    def take(path: Path) -> None:
        if is_coco(values[path]):
            items[path], told = read_coco(values[path], path=path, numbers=numbers)
            notes.extend(told)
        else:
            items[path] = [read_labelme(values[path], path=path, numbers=numbers)]

    for path in values:
        _noting(errors, path, take)
    items |= {path: [Annotation(path.name, error=error)] for path, error in errors.items()}
    ordered = [item for path in paths for item in items[path]]
    return Annotations(tuple(ordered), classes, tuple(notes), tuple(paths))


def _noting(errors: dict[Path, str], path: Path, read: Callable[[Path], None]) -> None:
    try:
        read(path)
    except InputError as error:
        errors[path] = str(error)
