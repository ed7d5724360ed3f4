"""What a training run has told so far, as curves and a few words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from napari_unetseg.schema.events import Event, Note, Relabelled, StepDone, Validated

SMOOTHING = 0.95
DRAWN = 2000  # points of a curve at most


@dataclass(slots=True)
class History:
    """Curves over the seconds trained; `add` takes the events of a run as they come."""

    step: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    loss_seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """Smoothed over some twenty steps; steps that were not finite are left out."""
    score_seconds: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    """AP at IoU 0.5, or of classes the mean IoU."""
    measure: str = "AP"
    """Which of them."""
    kept: tuple[float, float] | None = None
    """The score of the model that is kept, and the second it was found at."""
    on_training: bool = False
    """Whether the scores are on the training objects themselves."""
    objects: int | None = None
    notes: list[str] = field(default_factory=list)
    _every: int = 1
    _smooth: float | None = None

    def add(self, event: Event) -> None:
        """Take one event."""
        match event:
            case StepDone():
                self.step, self.seconds, self.fraction = event.step, event.seconds, event.fraction
                if math.isfinite(event.loss):
                    self._add_loss(event)
            case Validated():
                self.score_seconds.append(event.seconds)
                self.scores.append(event.shown)
                self.measure = event.measure
                self.on_training = event.on_training
                if event.is_kept:
                    self.kept = (event.shown, event.seconds)
            case Relabelled():
                self.objects = event.objects
            case Note():
                self.notes.append(event.message)

    @property
    def seconds_planned(self) -> float | None:
        """Seconds from start to end at the pace so far; none before the first step."""
        return self.seconds / self.fraction if self.fraction else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds to go at the pace so far; none before the first step."""
        planned = self.seconds_planned
        return None if planned is None else planned - self.seconds

    def _add_loss(self, event: StepDone) -> None:
        """Smooth the loss, and keep every second point whenever there are too many to draw."""
        before = event.loss if self._smooth is None else self._smooth
        weight = min(SMOOTHING, 1 - 1 / event.step)  # a plain mean at first
        self._smooth = weight * before + (1 - weight) * event.loss
        if event.step % self._every == 0:
            self.loss_seconds.append(event.seconds)
            self.losses.append(self._smooth)
        if len(self.losses) > DRAWN:
            self._every *= 2
            self.loss_seconds, self.losses = self.loss_seconds[1::2], self.losses[1::2]
