"""How much of a run's budget of steps or minutes is used; waiting does not count."""

from __future__ import annotations

import math
import time
from collections.abc import Generator

from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.events import Event
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.checkpoint import Progress


class Clock:
    """Counts the seconds a job works, not those it waits to be asked for its next event: a paused run ages not."""

    def __init__(self) -> None:
        self.start()

    def start(self, seconds: float = 0.0) -> None:
        """Begin to count, from `seconds` on."""
        self._began = time.monotonic() - seconds

    @property
    def seconds(self) -> float:
        """Seconds worked so far."""
        return time.monotonic() - self._began

    def through(self, job: Generator[Event, None, None]) -> Generator[Event, None, None]:
        """Pass on the events of `job`, and leave out the time between handing one over and being asked again."""
        try:
            for event in job:
                left = time.monotonic()
                yield event
                self._began += time.monotonic() - left
        finally:
            job.close()


def used(progress: Progress, *, recipe: Recipe) -> float:
    """Share of the budget that is used; the first of steps and minutes to run out ends the run."""
    shares = [progress.step / recipe.steps] if recipe.steps else []
    shares += [progress.seconds / 60 / recipe.minutes] if recipe.minutes else []
    return max(shares)


def next_mark(fraction: float, *, every: float) -> float:
    """Return the first multiple of `every` after `fraction`."""
    return (math.floor(fraction / every + 1e-9) + 1) * every


def in_words(recipe: Recipe) -> str:
    """Name the budget: "500 steps", "10 minutes", or both with an "or", of which the first to run out ends the run."""
    parts = [counted(recipe.steps, "step")] if recipe.steps else []
    parts += [counted(recipe.minutes, "minute")] if recipe.minutes else []
    return " or ".join(parts)
