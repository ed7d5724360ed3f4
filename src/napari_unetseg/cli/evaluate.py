"""`evaluate`: predicted labels against true ones, as a table, JSON and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unetseg.cli.options import AxesOption, JsonFlag, VerboseFlag
from napari_unetseg.cli.report import Report, reporting
from napari_unetseg.schema.words import FOREGROUND_IOU

SUMMARY = {
    "mean_ap": "mean AP 0.50-0.90",
    "f1": "F1 at IoU 0.50",
    "pq": "panoptic quality",
    "seg": "SEG (tracking challenge)",
    "dice": "Dice, foreground",
    "mean_iou": "mean IoU, all classes",
    "fw_iou": "frequency-weighted IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_class_accuracy": "mean class accuracy",
}

COLUMNS = {
    "name": "image",
    "objects_truth": "true",
    "objects_predicted": "found",
    "ap50": "AP 0.50",
    "mean_ap": "mean AP",
    "f1": "F1",
    "pq": "PQ",
    "dice": "Dice",
}
CLASS_COLUMNS = {
    "name": "image",
    "pixel_error": "pixel error",
    "foreground_iou": FOREGROUND_IOU,
    "rand_error": "Rand error",
    "warping_error": "warping error",
    "splits": "splits",
    "mergers": "mergers",
}


def evaluate(
    predicted: Annotated[Path, typer.Argument(metavar="PREDICTED", help="Label image, or folder of label images.")],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            help="True labels: a file, or a folder with the same names; or masks, one per cell, as for 'train'.",
        ),
    ],
    semantic: Annotated[
        bool | None,
        typer.Option(
            "--semantic/--objects",
            help="Labels are classes, one number wherever a class is; or objects. "
            "[default: classes where a table that 'segment' wrote beside PREDICTED says so, else objects]",
            show_default=False,
        ),
    ] = None,
    axes: AxesOption = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE.png", help="Also draw the scores; of classes the IoU of each.")
    ] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Score predicted labels against the truth: matched objects (AP, F1, PQ, SEG) and pixels (Dice, IoU).

    Of classes: IoU of each, the share of wrong pixels, and of two classes the errors of the regions of background
    (adapted Rand error, variation of information, warping error).
    """
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.tasks.meaning import classes_held

        _check_paths(predicted, truth)
        names = () if semantic is False else classes_held(predicted, truth, is_known=semantic is True)
        if semantic is None:
            semantic = _are_classes(names, predicted, report=report)
        scores, failed = _score(predicted, truth, semantic=semantic, axes=axes, report=report)
        if scores["per_image"]:
            report.say(class_score_table(scores, names=names) if semantic else score_table(scores))
        if len(scores["per_image"]) > 1:
            entries = scores["per_image"]
            report.say("\n" + (class_image_table(entries, names=names) if semantic else image_table(entries)))
        if plot is not None:
            report.say(f"plot: {_draw(scores, path=plot, semantic=semantic, names=names)}")
        report.finish({**scores, "failed": failed, "notes": report.notes}, failed=len(failed))


def _check_paths(*paths: Path) -> None:
    from napari_unetseg.schema.errors import InputError

    for path in paths:
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the path")


def _are_classes(names: tuple[str, ...], predicted: Path, *, report: Report) -> bool:
    """Tell by the names in the tables beside the labels whether they are classes, and say so."""
    if names:
        report.note(f"{predicted}: scored as classes, as the table beside the labels says; pass --objects to change")
    return bool(names)


def _score(
    predicted: Path, truth: Path, *, semantic: bool, axes: str | None, report: Report
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    from napari_unetseg.cli.progress import drive
    from napari_unetseg.schema.events import Event, ItemDone
    from napari_unetseg.tasks.evaluate import evaluate_files

    failed: list[dict[str, str]] = []

    def watch(event: Event) -> None:
        if isinstance(event, ItemDone) and event.error is not None:
            failed.append({"item": event.item, "error": event.error})

    report.when_stopped = lambda: "nothing was written; run the same command again"
    job = evaluate_files(predicted, truth, axes=axes, is_semantic=semantic)
    return drive(job, report=report, watch=watch), failed


def _draw(scores: dict[str, Any], *, path: Path, semantic: bool, names: tuple[str, ...]) -> Path:
    if semantic:
        from napari_unetseg.cli.class_plot import write_class_plot

        return write_class_plot(scores, path=path, names=names)
    from napari_unetseg.cli.plot import write_score_plot

    return write_score_plot(scores, path=path)


def score_table(scores: dict[str, Any]) -> str:
    """Return AP over the IoU thresholds as one line, then the summary scores."""
    from napari_unetseg.cli.table import table

    over_thresholds = table([("AP", *scores["ap"].values())], head=("IoU threshold", *scores["ap"]))
    summary = table([(text, scores[key]) for key, text in SUMMARY.items()], head=("score", "value"))
    return f"{over_thresholds}\n\n{summary}"


def class_score_table(scores: dict[str, Any], *, names: tuple[str, ...] = ()) -> str:
    """Return the IoU of each class, called by its name if that is known, then the summary scores."""
    from napari_unetseg.cli.table import table
    from napari_unetseg.tasks.class_scores import named_scores

    rows = [(score.name, score.value) for score in named_scores(scores, names=names)]
    return table(rows, head=("score", "value"))


def image_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return one line of main scores for each image."""
    from napari_unetseg.cli.table import table

    return table([tuple(entry[key] for key in COLUMNS) for entry in entries], head=tuple(COLUMNS.values()))


def class_image_table(entries: Sequence[Mapping[str, Any]], *, names: tuple[str, ...] = ()) -> str:
    """Return one line for each image: scores that some have, and of more than two classes the IoU of each.

    The errors of regions are those of two classes alone.
    """
    from napari_unetseg.cli.table import table
    from napari_unetseg.tasks.class_scores import classes_called

    columns = {text: [entry.get(key) for entry in entries] for key, text in CLASS_COLUMNS.items()}
    ious = [entry["iou"] for entry in entries]
    count = max(map(len, ious))
    if count > 2:
        for number, name in enumerate(classes_called(count, names=names)[1:], start=1):
            columns[f"IoU of {name}"] = [iou[number] if number < len(iou) else None for iou in ious]
    told = {text: values for text, values in columns.items() if any(value is not None for value in values)}
    return table(list(zip(*told.values(), strict=True)), head=tuple(told))
