"""`train`: images and their labels in, one model file out."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_unetseg.cli.network_settings import SetOption
from napari_unetseg.cli.options import (
    AxesOption,
    ChannelOption,
    DeviceOption,
    JsonFlag,
    LossOption,
    OverwriteFlag,
    TargetOption,
    VerboseFlag,
)
from napari_unetseg.cli.report import Report, reporting
from napari_unetseg.cli.trained import tell_of

if TYPE_CHECKING:
    from napari_unetseg.schema.card import ModelCard
    from napari_unetseg.schema.config import Recipe
    from napari_unetseg.schema.events import Event
    from napari_unetseg.tasks.model import Model
    from napari_unetseg.tasks.samples import Sample

DimensionName = Literal["2", "3"]


def train(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="Folder of images, or one image file.")],
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="LABELS",
            help="Folder of label images (each object its own number) with the same names, or one file; "
            "or a folder of masks, one per cell, for each image.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL.safetensors", help="The model file to write.")
    ],
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Settings; options given here win over it.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="MODEL", help="Start from this model's weights, with its network and target."),
    ] = None,
    val: Annotated[
        float | None, typer.Option(help="Share of the images held back for validation (0 to below 1).")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Budget in steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Budget in minutes; 20 if neither budget is given.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Architecture (see 'models networks'); unet if not given.")
    ] = None,
    settings_given: SetOption = None,
    width: Annotated[int | None, typer.Option(help="Feature channels at full resolution.")] = None,
    depth: Annotated[int | None, typer.Option(help="Number of poolings.")] = None,
    ndim: Annotated[DimensionName | None, typer.Option(help="2: plane by plane. 3: volumes.")] = None,
    three_axes: Annotated[
        bool,
        typer.Option(
            "--three-axes",
            help="2D network on Z stacks: learn from XZ and YZ planes as well, for 'segment --three-axes'.",
        ),
    ] = False,
    target: TargetOption = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names of the classes 1, 2, ... with commas between, such as membrane,vesicle (--target semantic).",
        ),
    ] = None,
    loss: LossOption = None,
    match_size: Annotated[
        bool | None,
        typer.Option(
            "--match-size/--no-match-size",
            help="With --from: scale images whose objects are larger or smaller than the model's to the size it knows. "
            "Faster steps, but fine detail is lost where objects are shrunk.",
        ),
    ] = None,
    patch: Annotated[
        str | None,
        typer.Option(metavar="Y,X or Z,Y,X", help="Size of the training patches in pixels; one number for all axes."),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Patches per step.")] = None,
    unlabelled: Annotated[
        bool,
        typer.Option("--unlabelled", help="Label 0 means 'not annotated' instead of background (a few cells painted)."),
    ] = False,
    shown: Annotated[
        int,
        typer.Option(
            "--samples",
            min=0,
            max=20,
            metavar="N",
            help="At each validation draw N of the held-back images, with truth and prediction, into MODEL.samples.",
        ),
    ] = 0,
    channel: ChannelOption = None,
    axes: AxesOption = None,
    device: DeviceOption = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run of the same command.")
    ] = False,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Train a U-Net on your own images and labels; what it has learnt is kept in one file as it goes.

    Each label image has the same name as its image (or STEM_labels, STEM_masks) and gives every object its own number;
    with --target semantic every pixel the number of its class, 0 for background (masks of 0 and 255 will do).
    With one mask per cell instead, LABELS holds STEM/*.png for each image, or the folder with ID/images/ID.png and
    ID/masks/*.png (as of the Data Science Bowl 2018) is given twice.
    """
    from napari_unetseg.cli.settings import name_list

    names = name_list(classes)
    given = {
        "network": {"architecture": network, "width": width, "depth": depth, "ndim": ndim and int(ndim)},
        "target": {"kind": target, "classes": len(names) + 1 if names else None},
        "loss": {"kind": loss},
        "validation": val,
        "steps": steps,
        "minutes": minutes,
        "seed": seed,
        "batch": batch,
        "match_size": match_size,
        "unlabelled_is_background": False if unlabelled else None,
    }
    from napari_unetseg.tasks.launch import launch

    with reporting(as_json=as_json, verbose=verbose, rank=launch().rank) as report:
        from napari_unetseg.cli.destination import check_output
        from napari_unetseg.cli.layers import RecipeLayers
        from napari_unetseg.cli.progress import drive

        output = check_output(output, resume=resume, overwrite=overwrite, has_samples=shown > 0)
        settings = RecipeLayers(given, file=recipe, patch=patch, settings=settings_given)
        model = _load_start(start)
        job = reading(
            images,
            labels,
            settings.recipe(model),
            channel,
            axes=axes,
            in_channels=settings.in_channels(model),
            three_axes=three_axes,
        )
        samples = drive(job, report=report)
        final = settings.recipe(model, in_channels=samples[0].image.shape[0])
        card = _run(
            samples,
            final,
            output=output,
            model=model,
            resume=resume,
            overwrite=overwrite,
            device=device,
            data=f"{images.name} with {labels.name}",
            names=names,
            shown=shown,
            report=report,
        )
        tell_of(card, output, report=report, has_samples=shown > 0)
    if launch().count > 1:
        _end_at_once()


def _end_at_once() -> None:
    """End one of several processes without taking torch apart, which aborted once in a while with all work done."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _load_start(name: str | None) -> Model | None:
    if name is None:
        return None
    from napari_unetseg.tasks.model import load_model

    return load_model(name)


def reading(
    images: Path,
    labels: Path,
    recipe: Recipe,
    channel: list[str] | None,
    *,
    axes: str | None,
    in_channels: int | None,
    three_axes: bool,
) -> Generator[Event, None, list[Sample]]:
    """Return the job that reads images with their labels, after a look at the recipe and whether they are there."""
    from napari_unetseg.cli.settings import channel_list
    from napari_unetseg.networks import registry
    from napari_unetseg.schema.errors import InputError
    from napari_unetseg.tasks.loading import read_samples
    from napari_unetseg.tasks.start import check_loss

    registry.check(recipe.network)
    check_loss(recipe)
    if three_axes and recipe.network.ndim == 3:
        raise InputError("a 3D network sees all three axes by itself; leave out --three-axes or --ndim 3")
    for path in (images, labels):
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the path")
    return read_samples(
        images,
        labels,
        ndim=recipe.network.ndim,
        channels=channel_list(channel),
        axes=axes,
        normalization=recipe.normalization,
        in_channels=in_channels,
        three_axes=three_axes,
    )


def _run(
    samples: list[Sample],
    recipe: Recipe,
    *,
    output: Path,
    model: Model | None,
    resume: bool,
    overwrite: bool,
    device: str,
    data: str,
    names: tuple[str, ...],
    shown: int,
    report: Report,
) -> ModelCard:
    from napari_unetseg.cli.diary import Diary
    from napari_unetseg.cli.progress import drive
    from napari_unetseg.schema.words import counted
    from napari_unetseg.tasks import train as task
    from napari_unetseg.tasks.budget import in_words

    diary = Diary(
        output,
        images=len(samples),
        batch=recipe.batch,
        resume=resume,
        is_kept=not report.rank,
        has_samples=shown > 0 or overwrite,
    )
    saved = diary.saved

    def when_stopped() -> str:
        if not saved:
            return "nothing was saved yet; start again" if not resume else "nothing new was saved; go on with --resume"
        kept = f"the model so far is kept in {output}" if output in saved else f"{output} is as it was"
        return f"{kept}; go on from the last checkpoint with the same command and --resume (without --overwrite)"

    report.when_stopped = when_stopped
    network, budget = recipe.network, in_words(recipe)
    report.note(
        f"{counted(len(samples), 'image')}, {network.architecture} {network.ndim}D of width {network.width}, {budget}"
    )
    job = task.run(
        samples,
        recipe=recipe,
        output=output,
        start=model,
        resume=resume,
        device=device,
        class_names=names,
        shown=shown,
        data=data,
    )
    try:
        return drive(job, report=report, watch=diary.add)
    finally:
        diary.close()
