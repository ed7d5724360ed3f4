"""Turn annotations of other programs into pairs of image and label TIFF; a bad one never stops the rest."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_unetseg.images.annotation import Annotation, AnnotationFormat
from napari_unetseg.images.annotation_files import find_annotations
from napari_unetseg.images.atomic import remove
from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.budget import check_allocation
from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.folders import made
from napari_unetseg.images.image_names import ImageIndex
from napari_unetseg.images.label_ids import to_ids
from napari_unetseg.images.layouts import fit_labels, output_names
from napari_unetseg.images.notes import GroupedNotes
from napari_unetseg.images.pairs import IMAGES, LABELS
from napari_unetseg.images.palette import PaletteError, write_palette
from napari_unetseg.images.read import open_image
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import write_image
from napari_unetseg.labels.classes import as_classes
from napari_unetseg.labels.plausible import check_plausible
from napari_unetseg.schema.config import MAX_CLASSES
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.events import Event, ItemDone, Note
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.imported import Imported, Tally

PALETTE = "palette"
"""The folder of palette PNGs, beside those of images and labels."""


def import_labels(
    annotations: Path,
    *,
    output: Path,
    images: Path | None = None,
    format: AnnotationFormat | None = None,  # noqa: A002 - the word users know
    is_semantic: bool = False,
    colours: Path | None = None,
    classes: Sequence[str] = (),
    axes: str | None = None,
    has_palette: bool = False,
    overwrite: bool = False,
) -> Generator[Event, None, Imported]:
    """Write `output/images/STEM.tif` and `output/labels/STEM.tif` for each annotated image.

    `images` is the folder of the images, or the only one; none: they lie where the annotations are. The `format` is
    found out where it is not given. Labels are objects, or classes (`is_semantic`); the file `colours` says which class
    each colour of a mask stands for. `classes` names the classes 1, 2, ..., so that they are the same in all imports;
    other names in the annotations are refused. `has_palette` adds `output/palette/STEM.png` where a palette can hold
    the labels. Files that are there are refused before any work, unless they may be replaced (`overwrite`); images and
    annotations that were given never are. What cannot be imported is an `ItemDone` with its error.
    """
    is_given, images = images is not None, images or (annotations if annotations.is_dir() else annotations.parent)
    found = find_annotations(
        annotations, images=images, format=format, is_semantic=is_semantic, colours=colours, classes=classes
    )
    for note in found.notes:
        yield Note(note)
    index = ImageIndex(images, without=set(found.files), is_for_one=len(found.items) == 1, is_given=is_given)
    places = [_find(annotation, index=index) for annotation in found.items]
    names = output_names([place for place in places if isinstance(place, Path)], folder=output / IMAGES, suffix=".tif")
    targets, given = list(names.values()), [*names, *found.files]
    folders = _folders(targets, output=output, given=given, has_palette=has_palette, may=overwrite)
    is_semantic = is_semantic or colours is not None
    result = Imported(output / IMAGES, output / LABELS, is_semantic, found.classes, without_annotation=index.left())
    tally, notes = Tally(result), GroupedNotes()
    with made(folders):
        for number, (annotation, place) in enumerate(zip(found.items, places, strict=True), start=1):
            item = ItemDone(annotation.name, number, len(places), error=place if isinstance(place, str) else None)
            if isinstance(place, Path):
                try:
                    source = open_image(place, axes=axes)
                    drawn, labels = _draw(annotation, source, classes=found.classes if is_semantic else None)
                    tally.without_palette += _write(source, labels, target=names[place], has_palette=has_palette)
                    notes.add(source)
                    tally.add(annotation.name, drawn, labels)
                    item = replace(item, output=result.labels / names[place].name, objects=_count(labels))
                except UnetSegError as problem:
                    item = replace(item, error=str(problem))
            result.items.append(item)
            yield item
    for text in [*notes.sentences(), *tally.sentences()]:
        yield Note(text)
    return result


def _find(annotation: Annotation, *, index: ImageIndex) -> Path | str:
    """Return the image of an annotation, or why there is none."""
    if annotation.draw is None:
        return annotation.error
    try:
        return index.take(annotation)
    except InputError as error:
        return str(error)


def _folders(
    targets: Sequence[Path],
    *,
    output: Path,
    given: Sequence[Path],
    has_palette: bool,
    may: bool,
) -> list[Path]:
    """Return the folders to be written to; what would replace files, originals above all, is refused."""
    folders = [output / IMAGES, output / LABELS, *([output / PALETTE] if has_palette else [])]
    originals = {path.resolve().parent for path in given}
    for folder in folders:
        if folder.resolve() in originals:
            raise InputError(f"{folder}: holds the originals, which stay as they are; choose another output folder")
    written = [
        folder / (target.stem + ".png" if folder.name == PALETTE else target.name)
        for target in targets
        for folder in folders
    ]
    standing = [path for path in written if path.exists() or path.is_symlink()]
    if standing and not may:
        raise InputError(
            f"{standing[0]}: {counted(len(standing), 'file')} of this import there already; pass --overwrite to "
            "replace them, or choose another folder"
        )
    return folders


def _draw(annotation: Annotation, source: ImageSource, *, classes: Sequence[str] | None) -> tuple[Drawn, np.ndarray]:
    """Return what was drawn, and its labels with the axes of the image: objects, or numbers of `classes`.

    Annotations of which nothing can be used are refused: an empty label map would say that nothing is there.
    """
    assert annotation.draw is not None  # such an annotation has no place
    drawn = annotation.draw(source)
    labels = fit_labels(to_ids(drawn.labels, name=annotation.name), image=source, name=annotation.name)
    if drawn.skipped and not labels.any():
        reasons = ", ".join(f"{what}, {counted(number, 'time')}" for what, number in drawn.skipped.items())
        raise InputError(f"{annotation.name}: nothing in it can be used ({reasons}); export it again, or leave it out")
    if classes is not None:
        if drawn.keeper == "the first by name":  # one mask for each cell: a mask of all of them
            labels = labels > 0
        return drawn, as_classes(labels, count=len(classes) + 1 if classes else MAX_CLASSES, name=annotation.name)
    check_plausible(labels, name=annotation.name)
    return drawn, labels


def _write(source: ImageSource, labels: np.ndarray, *, target: Path, has_palette: bool) -> list[str]:
    """Write image and labels; if the labels cannot be written, the image goes too. Returns why there is no palette."""
    letters = source.axes.letters
    check_allocation(source.shape, source.dtype, what=str(source.path))
    pixels = source.reader(tuple(slice(0, length) for length in source.shape))
    if "S" in letters and source.shape[letters.index("S")] not in (3, 4):
        letters = letters.replace("S", "C")  # grey with transparency is no colour
    folder = target.parent.parent
    write_image(target, pixels, axes=letters, scale=source.scale)
    try:
        ids = to_ids(labels, name=target.name)
        write_image(folder / LABELS / target.name, ids, axes=label_axes(letters), scale=source.scale)
    except BaseException:
        remove(target)
        raise
    return _write_palette(folder / PALETTE / f"{target.stem}.png", ids) if has_palette else []


def _write_palette(path: Path, ids: np.ndarray) -> list[str]:
    """Write a palette PNG; returns why, if it cannot hold the ids, and leaves none of an earlier import."""
    try:
        write_palette(path, ids)
    except PaletteError as problem:
        remove(path)
        return [str(problem)]
    return []


def _count(labels: np.ndarray) -> int:
    """Return the number of objects, or of classes that occur."""
    return int(np.unique(labels[labels > 0]).size)
