"""What a training leaves beside its model: a table of losses and scores, a picture of them, and samples if wanted."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from napari_unetseg.cli.plot import save_figure
from napari_unetseg.cli.samples import Samples
from napari_unetseg.schema.events import Event, Saved
from napari_unetseg.schema.words import MEASURES
from napari_unetseg.tasks.history import History
from napari_unetseg.tasks.training_log import TrainingLog, log_of

_LOSS, _SCORE = "#D55E00", "#0072B2"


class Diary:
    """Takes the events of a run; with `is_kept` the table grows as they come. `saved` are the files written so far.

    `has_samples`: each validation leaves a picture of the images that it hands out; those of an earlier run go.
    """

    def __init__(
        self, model: Path, *, images: int, batch: int, resume: bool, is_kept: bool, has_samples: bool = False
    ) -> None:
        self.model = model
        self.saved: set[Path] = set()
        self._history = History()
        self._log = TrainingLog.begin(log_of(model), images=images, batch=batch, resume=resume) if is_kept else None
        self._samples = Samples(model) if is_kept and has_samples else None

    def add(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Saved):
            self.saved.add(event.path)
        self._history.add(event)
        if self._log is not None:
            self._log.add(event)
        if self._samples is not None:
            self._samples.add(event)

    def close(self) -> None:
        """End the table, and draw the curves of this run: of one that was resumed, from there on."""
        if self._log is not None and self._history.step:
            self._log.close()
            write_curves(self._history, path=curves_of(self.model))


def curves_of(model: Path) -> Path:
    """Return where the picture of a model's training lies."""
    return model.with_name(f"{model.stem}.curves.png")


def write_curves(history: History, *, path: Path) -> Path:
    """Draw the smoothed loss and, where images were held back, the scores; a ring marks the weights that are kept."""
    figure = Figure(figsize=(6.4, 4.0), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots()
    longest = max([*history.loss_seconds, *history.score_seconds], default=0.0)
    unit, name = (60.0, "minutes") if longest > 120 else (1.0, "seconds")
    axes.plot([second / unit for second in history.loss_seconds], history.losses, color=_LOSS, linewidth=1.5)
    axes.set_xlabel(f"{name} trained")
    axes.set_ylabel("loss, mean of the last 20 steps or so", color=_LOSS)
    axes.set_ylim(bottom=0)
    if history.scores and not history.on_training:
        right = axes.twinx()
        seconds = [second / unit for second in history.score_seconds]
        right.plot(seconds, history.scores, color=_SCORE, marker="o", markersize=4, linewidth=1.5)
        if history.kept is not None:
            score, second = history.kept
            right.plot(second / unit, score, "o", markersize=11, markerfacecolor="none", color=_SCORE)
        right.set_ylim(0, 1)
        right.set_ylabel(f"{MEASURES[history.measure]} (ring: kept)", color=_SCORE)
    axes.set_title(path.name.removesuffix(".curves.png"), fontsize=11, loc="left")
    return save_figure(figure, path)
