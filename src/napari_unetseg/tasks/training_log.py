"""What a training run told, as a table beside the model: NAME.log.csv, which grows as it goes."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Self

from napari_unetseg.images.atomic import write_text
from napari_unetseg.schema.events import Event, StepDone, Validated

COLUMNS = ("step", "epoch", "seconds", "learning_rate", "loss", "ap50", "mean_ap", "foreground_iou", "kept")
"""`epoch`: how often each image was drawn, on average; `loss`: the mean since the row before; `kept`: whether the
weights were saved as the best so far."""
EVERY = 50
"""Steps between two rows, besides those with scores."""


def log_of(model: Path) -> Path:
    """Return where the log of a model lies."""
    return model.with_name(f"{model.stem}.log.csv")


class TrainingLog:
    """Takes the events of a run and writes a row every so many steps, and one for each validation."""

    def __init__(self, path: Path, *, epoch_steps: float, rows: list[list[str]]) -> None:
        self.path = path
        self._epoch_steps = epoch_steps
        self._rows = rows
        self._losses: list[float] = []
        self._last: StepDone | None = None

    @classmethod
    def begin(cls, path: Path, *, images: int, batch: int, resume: bool) -> Self:
        """Begin a log, or go on with the one that is there; that of an earlier model is removed."""
        rows: list[list[str]] = []
        if not resume:
            path.unlink(missing_ok=True)
        if resume and path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
        return cls(path, epoch_steps=max(1, images) / batch, rows=rows)

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case StepDone():
                if self._last is None:  # after a checkpoint some steps are taken again
                    self._rows = [row for row in self._rows if int(row[0]) < event.step]
                self._last = event
                if math.isfinite(event.loss):  # else nothing was learnt
                    self._losses.append(event.loss)
                if event.step % EVERY == 0:
                    self._write_row("", "", "", "")
            case Validated() if not event.on_training:
                is_of_classes = event.foreground_iou is not None
                ap = ("", "") if is_of_classes else (f"{event.ap50:.6g}", f"{event.mean_ap:.6g}")
                self._write_row(*ap, f"{event.foreground_iou:.6g}" if is_of_classes else "", str(int(event.is_kept)))

    def close(self) -> None:
        """Write a row for the last steps, if they have none."""
        if self._losses:
            self._write_row("", "", "", "")

    def _write_row(self, *scores: str) -> None:
        step = self._last
        if step is None:
            return
        is_repeated = bool(self._rows) and int(self._rows[-1][0]) == step.step  # the row of this step gets its scores
        before = self._rows.pop() if is_repeated else None
        loss = f"{sum(self._losses) / len(self._losses):.6g}" if self._losses else before[4] if before else ""
        epoch = f"{step.step / self._epoch_steps:.4g}"
        self._rows.append([str(step.step), epoch, f"{step.seconds:.1f}", f"{step.learning_rate:.6g}", loss, *scores])
        self._losses = []
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([COLUMNS, *self._rows])
        write_text(self.path, text.getvalue())
