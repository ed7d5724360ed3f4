"""The log of a training: rows as they come, scores beside them, and no step twice after a checkpoint."""

from __future__ import annotations

import csv
from pathlib import Path

from napari_unetseg.schema.events import StepDone, Validated
from napari_unetseg.tasks.training_log import EVERY, TrainingLog, log_of


def step(number: int, loss: float = 1.0) -> StepDone:
    return StepDone(number, loss, 0.001, float(number), number / 1000)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_every_so_many_steps_and_for_each_score(tmp_path: Path) -> None:
    path = log_of(tmp_path / "mine.safetensors")
    log = TrainingLog.begin(path, images=10, batch=4, resume=False)
    for number in range(1, EVERY + 1):
        log.add(step(number, loss=number))
    log.add(Validated(EVERY, ap50=0.5, mean_ap=0.25, is_kept=True, seconds=9.0))
    log.add(step(EVERY + 1, loss=7.0))
    log.add(Validated(EVERY + 1, ap50=0.4, mean_ap=0.2, is_kept=False, seconds=9.0))
    first, second = rows(path)
    assert path.name == "mine.log.csv"
    assert (first["step"], first["epoch"], first["loss"]) == ("50", "20", "25.5")
    assert (first["ap50"], first["mean_ap"], first["foreground_iou"], first["kept"]) == ("0.5", "0.25", "", "1")
    assert (second["step"], second["loss"], second["kept"]) == ("51", "7", "0")


def test_classes_have_their_own_score(tmp_path: Path) -> None:
    log = TrainingLog.begin(tmp_path / "a.log.csv", images=1, batch=1, resume=False)
    log.add(step(3))
    log.add(Validated(3, ap50=0.0, mean_ap=0.0, is_kept=True, seconds=1.0, foreground_iou=0.75))
    (row,) = rows(log.path)
    assert (row["ap50"], row["foreground_iou"]) == ("", "0.75")


def test_a_resumed_run_goes_on_where_the_checkpoint_was(tmp_path: Path) -> None:
    path = tmp_path / "a.log.csv"
    log = TrainingLog.begin(path, images=1, batch=1, resume=False)
    for number in (EVERY, 2 * EVERY, 3 * EVERY):
        log.add(step(number))
    log = TrainingLog.begin(path, images=1, batch=1, resume=True)
    for number in range(EVERY + 10, 2 * EVERY + 1):
        log.add(step(number, loss=0.5))
    assert [(row["step"], row["loss"]) for row in rows(path)] == [("50", "1"), ("100", "0.5")]
