"""A training run that outlives its dock: it snapshots layers, hands over strokes, and shows what the network sees."""

from __future__ import annotations

import re
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Labels, Shapes
from qtpy.QtCore import QTimer, Signal

from napari_unetseg.models import library
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Previewed, Saved, StepDone
from napari_unetseg.tasks.history import History
from napari_unetseg.tasks.live import Live
from napari_unetseg.tasks.pairs import Pairs, Reading
from napari_unetseg.widgets import _models
from napari_unetseg.widgets._redraw import warm_up
from napari_unetseg.widgets._session import Session
from napari_unetseg.widgets._train_layers import LayerPair, take_field, take_labels, take_pair
from napari_unetseg.widgets._train_previews import PreviewLayer, TrainPreviews

LOOK = 500  # milliseconds between two looks at strokes and at the view
_training: set[Path | None] = set()
"""Models that runs of this program are making."""
REDRAW = 0.25  # seconds between two signals of progress


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run needs; `model` is what it starts from, none: from scratch."""

    pairs: tuple[LayerPair, ...]
    reading: Reading
    recipe: Recipe
    name: str
    model: Path | None = None
    regions: Shapes | None = None
    axes: str = ""
    device: str = "auto"
    resumes: bool = False
    class_names: tuple[str, ...] = ()


class TrainSession(Session):
    """Signals: `advanced` (there is more to draw), `told` (a sentence and its kind), `model_saved` (a model's path).

    `rows` are the pairs of the dock; they stay when it is closed.
    """

    advanced = Signal()
    told = Signal(str, str)
    model_saved = Signal(object)

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.rows: list[LayerPair] = []
        self.kept: dict[str, Any] = {}
        self.history = History()
        self.plan: Plan | None = None
        self.saved: Path | None = None
        self.has_live_preview = True
        self.has_live_labels = True
        self.preview_every = 5.0
        self.previews = TrainPreviews(self)
        self._preview = PreviewLayer(self)
        self._live: Live | None = None
        self._labels: list[Any] = []
        self._is_dirty = False
        self._asked = 0.0
        self._is_waiting = False
        self._told_at = 0.0
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK)
        self._timer.timeout.connect(self._look)
        self.job.progressed.connect(self._on_job_progressed)
        self.job.succeeded.connect(self._on_job_succeeded)
        self.job.failed.connect(self._on_job_failed)
        self.job.cancelled.connect(self._on_job_cancelled)
        self.job.finished.connect(self._on_job_finished)
        viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def output(self) -> Path | None:
        """The model file of the present or last run."""
        return None if self.plan is None else model_of(self.plan.name)

    def start(self, plan: Plan) -> bool:
        """Train on what the layers hold now; tell whether the run was started."""
        if self.job.is_running:
            return False
        if not plan.resumes:
            library.check_new_name(plan.name)
        elif model_of(plan.name) in _training:
            raise InputError(f"'{plan.name}' is being trained in another window; choose another name")
        pairs = [take_pair(pair, axes=plan.axes, regions=plan.regions) for pair in plan.pairs]
        self.plan, self.saved, self.history = plan, None, History()
        if plan.resumes and model_of(plan.name).exists():
            self.saved = model_of(plan.name)  # it stands, whether the run improves it or not
        samples = Pairs(pairs, reading=plan.reading)
        live = Live(read=samples.samples, scores_training=True)
        output = self.output
        assert output is not None  # there is a plan
        names = ", ".join(pair.image.name for pair in plan.pairs)

        def task() -> Generator[Event, None, ModelCard]:
            from napari_unetseg.tasks import train
            from napari_unetseg.tasks.model import load_model

            warm_up()
            output.parent.mkdir(parents=True, exist_ok=True)
            start = None if plan.model is None else load_model(plan.model)
            found = yield from samples.load()
            facts = {"data": names, "description": f"trained in napari on {names}"}
            options = {"output": output, "start": start, "device": plan.device, "live": live}
            options["class_names"] = plan.class_names
            return (yield from train.run(found, recipe=plan.recipe, resume=plan.resumes, **options, **facts))

        self._live = live
        self._labels = [pair.labels for pair in pairs]
        self._is_dirty = self._is_waiting = False
        self._asked = 0.0
        for pair in plan.pairs:
            for event in (pair.labels.events.paint, pair.labels.events.labels_update, pair.labels.events.set_data):
                event.connect(self._on_labels_changed)
        self._timer.start()
        _training.add(output)
        return self.job.start(task)

    def stop(self) -> None:
        """End the run and keep the best model; before the first step there is none, and nothing is kept."""
        if self._live is None or not self.history.step:
            self.job.cancel()
            return
        self._live.stop()
        self.job.resume()
        self.job.changed.emit()

    @property
    def is_stopping(self) -> bool:
        """Whether the run is about to end."""
        return self.job.is_stopping or (self.job.is_running and self._live is not None and self._live.must_stop)

    def _look(self) -> None:
        """Hand over strokes and ask for a preview, unless the run waits."""
        if not self.job.is_running or self.job.is_paused or self._live is None or self.plan is None:
            return
        if self.has_live_labels and self._is_dirty:
            self._hand_over_labels()
        is_due = time.monotonic() - self._asked >= self.preview_every
        if self.has_live_preview and is_due and not self._is_waiting and self.history.step:
            self._ask_for_preview()

    def _hand_over_labels(self) -> None:
        self._is_dirty = False
        layers = self.viewer.layers
        labels = [
            take_labels(pair.labels) if pair.labels in layers else before
            for pair, before in zip(self.plan.pairs, self._labels, strict=True)
        ]
        if any(not np.array_equal(new, old) for new, old in zip(labels, self._labels, strict=True)):
            self._labels = labels
            self._live.relabel([np.asarray(array) for array in labels])

    def _ask_for_preview(self) -> None:
        pair = self._pair_in_view()
        if pair is None:
            return
        reading = self.plan.reading
        field = take_field(pair, viewer=self.viewer, ndim=reading.ndim, channels=reading.channels, axes=self.plan.axes)
        self._asked, self._is_waiting = time.monotonic(), True
        self._live.look(field)

    def _pair_in_view(self) -> LayerPair | None:
        """Return the pair whose labels are being painted, else the first with a visible image."""
        layers = self.viewer.layers
        present = [pair for pair in self.plan.pairs if pair.image in layers]
        active = layers.selection.active
        painted = [pair for pair in present if pair.labels is active or pair.image is active]
        shown = [pair for pair in present if pair.image.visible]
        return next(iter(painted + shown), None)

    def _on_labels_changed(self, _event: Any = None) -> None:
        self._is_dirty = True

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        for row in self.rows:
            row.image = None if row.image is layer else row.image
            row.labels = None if row.labels is layer else row.labels
        self.rows[:] = [row for row in self.rows if row.image is not None or row.labels is not None]
        used = self.plan.pairs if self.plan is not None and self.job.is_running else ()
        if any(layer is pair.labels or layer is pair.image for pair in used):
            what = "labels" if isinstance(layer, Labels) else "image"
            self.told.emit(f"'{layer.name}' was removed: training goes on with the {what} as they were", "warning")

    def _on_job_progressed(self, event: Event) -> None:
        self.history.add(event)
        if isinstance(event, Previewed):
            self._is_waiting = False
            if self.has_live_preview:
                self._preview.show(event)
        elif isinstance(event, Saved) and event.path == self.output:
            self.saved = event.path
        if not isinstance(event, StepDone) or time.monotonic() - self._told_at > REDRAW or event.step == 1:
            self._told_at = time.monotonic()
            self.advanced.emit()

    def _on_job_succeeded(self, _card: ModelCard) -> None:
        self._announce()

    def _on_job_failed(self, _error: Exception) -> None:
        self._forget_checkpoint()
        if not self.history.step:
            self.saved = None  # what stands was not made by this run
        self._announce()

    def _on_job_cancelled(self) -> None:
        self._forget_checkpoint()
        if self.saved is None:
            self.told.emit("Stopped before the first step: no model was saved", "note")
        self._announce()

    def shut_down(self) -> None:
        """Stop the jobs; the run can go on in another window."""
        super().shut_down()
        _training.discard(self.output)

    def _on_job_finished(self) -> None:
        _training.discard(self.output)
        self._timer.stop()
        self._live = None
        for pair in self.plan.pairs:
            for event in (pair.labels.events.paint, pair.labels.events.labels_update, pair.labels.events.set_data):
                event.disconnect(self._on_labels_changed)
        self.advanced.emit()

    def _announce(self) -> None:
        """Tell of the model that the run has saved, if it has."""
        if self.saved is not None and self.saved.exists():
            _models.announce_model(self.saved)
            self.model_saved.emit(self.saved)

    def _forget_checkpoint(self) -> None:
        """Remove what only a run that the window has cut short goes on from; before a step it is none of this run's."""
        if self.plan is not None and self.history.step:
            library.checkpoint_of(model_of(self.plan.name)).unlink(missing_ok=True)


def can_go_on(name: str) -> bool:
    """Tell whether a run that was to make this model was cut short, and has left its state."""
    model = model_of(name)
    try:
        return model not in _training and library.checkpoint_of(model).exists()
    except OSError:  # no name for a file
        return False


def model_of(name: str) -> Path:
    """Return the file of a model with this name."""
    return library.user_folder() / f"{name}{library.SUFFIX}"


def suggested_name(image: str, *, resumes: bool) -> str:
    """Return a name for a model made of an image's: that of a run which can go on, else one that no model has."""
    stem = Path(image).stem if Path(image).suffix else image
    wish = (re.sub(r"[^\w\-]+", "-", stem).strip("-_")[:60] or "cells") + "-unet"
    return wish if resumes and can_go_on(wish) else free_name(wish)


def free_name(wish: str) -> str:
    """Return the wish, or with another number behind it where a model has that name already."""
    taken = {name.casefold() for name in library.available()}
    stem = re.sub(r"-\d{1,3}$", "", wish)
    names: Sequence[str] = [wish, *(f"{stem}-{number}" for number in range(2, 1000))]
    return next((name for name in names if name.casefold() not in taken), wish)
