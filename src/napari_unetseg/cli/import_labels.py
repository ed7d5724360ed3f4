"""`import`: annotations of other programs in, pairs of image and label TIFF for `train` and `evaluate` out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_unetseg.cli.options import AxesOption, FolderOption, JsonFlag, OverwriteFlag, VerboseFlag
from napari_unetseg.cli.report import Report, reporting
from napari_unetseg.cli.trained import quoted

if TYPE_CHECKING:
    from napari_unetseg.tasks.imported import Imported

AnnotationName = Literal["masks", "labels", "palette", "colours", "coco", "labelme", "imagej"]


def import_labels(
    annotations: Annotated[
        Path,
        typer.Argument(
            metavar="ANNOTATIONS",
            help="Folder or file: COCO or LabelMe JSON, ImageJ ROIs (.zip, .roi), label images (also palette PNGs, "
            "colours, .npy, .npz), or a folder of masks, one per cell, for each image.",
        ),
    ],
    output: FolderOption,
    images: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="The images, or one image; not needed if they lie beside the annotations."),
    ] = None,
    format: Annotated[  # noqa: A002 - the option's name
        AnnotationName | None, typer.Option("--format", help="What the annotations are, if that is not found out.")
    ] = None,
    semantic: Annotated[
        bool,
        typer.Option("--semantic", help="Write classes (of categories, labels, groups) instead of numbered objects."),
    ] = False,
    colours: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.toml|json",
            help='What the colours of masks stand for, as lines like \'"#ff0000" = 1\' or \'"#ff0000" = "vesicle"\'.',
        ),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names of the classes 1, 2, ... with commas between, such as nucleus,dividing; with them each import "
            "numbers alike. Without, numbers follow COCO's category ids, the alphabet (LabelMe), or the lines of "
            "--colours.",
        ),
    ] = None,
    palette: Annotated[
        bool, typer.Option("--palette", help="Also write the labels as palette PNGs, where their ids go up to 254.")
    ] = False,
    axes: AxesOption = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Turn annotations of other programs into OUT/images/STEM.tif and OUT/labels/STEM.tif, as 'train' reads them.

    Annotations find their image by name: STEM.json, STEM.zip, STEM_mask.png, or the name that COCO and LabelMe note.
    """
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.progress import drive
        from napari_unetseg.cli.settings import name_list
        from napari_unetseg.tasks.import_labels import import_labels as task

        report.when_stopped = lambda: f"images in {output} so far are complete; --overwrite starts again"
        job = task(
            annotations,
            output=output,
            images=images,
            format=format,
            is_semantic=semantic,
            colours=colours,
            classes=name_list(classes),
            axes=axes,
            has_palette=palette,
            overwrite=overwrite,
        )
        result = drive(job, report=report)
        _tell(result, report=report)


def _tell(result: Imported, *, report: Report) -> None:
    from napari_unetseg.cli.table import table
    from napari_unetseg.schema.words import counted

    noun = "classes" if result.is_semantic else "objects"
    done = [item for item in result.items if item.error is None and item.output is not None]
    failed = len(result.items) - len(done)
    objects = sum(item.objects for item in done)
    if done:
        rows = [(item.item, item.objects, item.output.name if item.output else "-") for item in done]
        report.say(table(rows, head=("annotations", noun, "image and labels")))
    if result.classes:
        report.say(f"classes: {', '.join(f'{number} {name}' for number, name in enumerate(result.classes, start=1))}")
    found = "" if result.is_semantic else f": {counted(objects, 'object')}"  # classes are the same in all images
    report.say(f"{counted(len(done), 'image')} imported{f', {failed} failed' if failed else ''}{found}")
    next_ = f"napari-unetseg train {quoted(result.images)} {quoted(result.labels)} -o model.safetensors"
    if result.is_semantic:
        names = ",".join(name.replace(",", " ").replace('"', "'") for name in result.classes)
        next_ += " --target semantic" + (f' --classes "{names}"' if names else "")
    if done:
        report.say(f"next: {next_}")
    items: list[dict[str, Any]] = [
        {"item": item.item, "labels": item.output, noun: item.objects, "error": item.error} for item in result.items
    ]
    report.finish(
        {
            "images": result.images,
            "labels": result.labels,
            "items": items,
            "done": len(done),
            "failed": failed,
            "objects": None if result.is_semantic else objects,
            "class_names": result.classes,
            "shared_pixels": result.shared,
            "ignored_pixels": result.ignored,
            "skipped": dict(result.skipped),
            "without_annotation": result.without_annotation,
            "next": next_,
            "notes": report.notes,
        },
        failed=failed,
    )
