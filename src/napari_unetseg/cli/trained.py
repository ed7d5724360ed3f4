"""What is told of a model that was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from napari_unetseg.cli.report import Report

if TYPE_CHECKING:
    from napari_unetseg.schema.card import ModelCard


def tell_of(card: ModelCard, output: Path, *, report: Report, has_samples: bool = False) -> None:
    """Say what was learnt, how good it is, and what comes next."""
    from napari_unetseg.cli.diary import curves_of
    from napari_unetseg.cli.sample_folder import samples_of
    from napari_unetseg.cli.table import table
    from napari_unetseg.models.facts import SCORES
    from napari_unetseg.schema.words import counted, duration
    from napari_unetseg.tasks.training_log import log_of

    record = card.training
    assert record is not None  # written by the task
    is_semantic = card.target.is_semantic
    learnt = f"the classes {', '.join(card.classes)}" if is_semantic else counted(record.objects, "object")
    if record.scores:
        rows = [(text, record.scores[key]) for key, text in SCORES.items() if key in record.scores]
        report.say(table(rows, head=("validation score", "value")))
    report.say(
        f"{output}: the weights of step {record.steps}, after {duration(record.seconds)}, "
        f"learnt from {learnt} in {counted(record.images, 'image')}"
    )
    if record.scores.get("foreground_iou" if is_semantic else "ap0.50", 1.0) == 0:
        report.say(
            "it finds nothing yet of what was held back, be it that it finds nothing or takes everything for it: "
            "train longer, or look at the labels and the curves"
        )
    log, curves = log_of(output), curves_of(output)
    report.say(f"{log} has the loss and the scores as a table, {curves.name} as a picture")
    samples = samples_of(output) if has_samples and record.validation_images else None
    if samples is not None:
        report.say(f"{samples} has pictures of what it found in images held back, from validation to validation")
    report.say(f"next: napari-unetseg segment IMAGE_OR_FOLDER -o results --model {quoted(output)}")
    report.finish(
        {
            "model": output,
            "log": log,
            "curves": curves,
            "samples": samples,
            "name": card.name,
            "steps": record.steps,
            "seconds": record.seconds,
            "images": record.images,
            "objects": record.objects,
            "classes": card.classes,
            "validation_images": record.validation_images,
            "scores": record.scores,
            "sha256": card.sha256,
            "notes": report.notes,
        }
    )


def quoted(path: Path) -> str:
    """Return a path as a shell takes it."""
    text = str(path)
    return f'"{text}"' if " " in text else text
