"""`evaluate`: predicted labels against true ones, as a table, JSON and a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_unetseg.cli.options import AxesOption, JsonFlag, VerboseFlag
from napari_unetseg.cli.report import Report, reporting

SUMMARY = {
    "mean_ap": "mean AP 0.50-0.90",
    "f1": "F1 at IoU 0.50",
    "pq": "panoptic quality",
    "seg": "SEG (tracking challenge)",
    "dice": "Dice, foreground",
    "mean_iou": "mean IoU, classes",
    "fw_iou": "frequency-weighted IoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_class_accuracy": "mean class accuracy",
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
    axes: AxesOption = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw the scores.")] = None,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Score predicted labels against the truth: matched objects (AP, F1, PQ, SEG) and pixels (Dice, IoU)."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        scores, failed = _score(predicted, truth, axes=axes, report=report)
        if scores["per_image"]:
            report.say(score_table(scores))
        if len(scores["per_image"]) > 1:
            report.say("\n" + per_image_table(scores["per_image"]))
        if plot is not None:
            from napari_unetseg.cli.plot import write_score_plot

            report.say(f"plot: {write_score_plot(scores, path=plot)}")
        report.finish({**scores, "failed": failed, "notes": report.notes}, failed=len(failed))


def _score(
    predicted: Path, truth: Path, *, axes: str | None, report: Report
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    from napari_unetseg.cli.progress import drive
    from napari_unetseg.schema.errors import InputError
    from napari_unetseg.schema.events import Event, ItemDone
    from napari_unetseg.tasks.evaluate import evaluate_files

    for path in (predicted, truth):
        if not path.exists():
            raise InputError(f"{path}: there is no such file or folder; check the path")
    failed: list[dict[str, str]] = []

    def watch(event: Event) -> None:
        if isinstance(event, ItemDone) and event.error is not None:
            failed.append({"item": event.item, "error": event.error})

    report.when_stopped = lambda: "nothing was written; run the same command again"
    return drive(evaluate_files(predicted, truth, axes=axes), report=report, watch=watch), failed


def score_table(scores: dict[str, Any]) -> str:
    """Return AP over the IoU thresholds as one line, then the summary scores."""
    from napari_unetseg.cli.table import table

    over_thresholds = table([("AP", *scores["ap"].values())], head=("IoU threshold", *scores["ap"]))
    summary = table([(text, scores[key]) for key, text in SUMMARY.items()], head=("score", "value"))
    return f"{over_thresholds}\n\n{summary}"


def per_image_table(entries: list[dict[str, Any]]) -> str:
    """Return one line of main scores for each image."""
    from napari_unetseg.cli.table import table

    keys = ("name", "objects_truth", "objects_predicted", "ap50", "mean_ap", "f1", "pq", "dice")
    head = ("image", "true", "found", "AP 0.50", "mean AP", "F1", "PQ", "Dice")
    return table([tuple(entry.get(key) for key in keys) for entry in entries], head=head)
