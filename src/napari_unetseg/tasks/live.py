"""A mailbox between a training run and those who watch it: new labels, a field to look at, the wish to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_unetseg.tasks.samples import Sample

PREVIEW = "preview"
"""Item of the tiles predicted for a preview."""
PREVIEW_SHARE = 3  # between two previews lies at least this many times the last one's duration


@dataclass(frozen=True, slots=True)
class Field:
    """Part of the image named `origin`: `read` gives its raw pixels `(C, [Z,] Y, X)`, in the training thread.

    `inner` is what is wanted of the labels, the rest surroundings; `where` comes back with them.
    """

    read: Callable[[], np.ndarray]
    origin: str
    inner: tuple[slice, ...]
    where: Any


class Live:
    """A mailbox: one thread puts the newest in, the training takes it out between two steps; nothing ever waits.

    `read` makes samples of label arrays, in the training thread. With `scores_training` a run without validation
    is scored on its own training objects, and says so.
    """

    def __init__(
        self,
        *,
        read: Callable[[Sequence[np.ndarray]], Sequence[Sample]] | None = None,
        scores_training: bool = False,
    ) -> None:
        self.scores_training = scores_training
        self._read = read
        self._lock = threading.Lock()
        self._labels: Sequence[np.ndarray] | None = None
        self._field: Field | None = None
        self._must_stop = threading.Event()
        self._not_before = 0.0

    def relabel(self, labels: Sequence[np.ndarray]) -> None:
        """Train with these labels from the next step on."""
        with self._lock:
            self._labels = labels

    def look(self, field: Field) -> None:
        """Ask for the prediction of a field; one asked for before and not yet made is forgotten."""
        with self._lock:
            self._field = field

    def stop(self) -> None:
        """End at the next step with the best model so far."""
        self._must_stop.set()

    @property
    def must_stop(self) -> bool:
        """Whether the run is to end."""
        return self._must_stop.is_set()

    def take_samples(self) -> Sequence[Sample] | None:
        """Return samples of the newest labels, once."""
        with self._lock:
            labels, self._labels = self._labels, None
        return None if labels is None or self._read is None else self._read(labels)

    def take_field(self) -> Field | None:
        """Return the field to predict, once, unless the last took so long that training would suffer."""
        with self._lock:
            if time.monotonic() < self._not_before:
                return None
            field, self._field = self._field, None
            return field

    def rest_after(self, seconds: float) -> None:
        """Take no field for a while, since the last one took so many seconds."""
        with self._lock:
            self._not_before = time.monotonic() + PREVIEW_SHARE * seconds
