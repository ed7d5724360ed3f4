"""Curves are smooth, bounded in length, and say what they are of."""

from __future__ import annotations

import pytest

from napari_unetseg.schema.events import Note, Relabelled, StepDone, Validated
from napari_unetseg.tasks.history import DRAWN, History


def test_events_become_curves() -> None:
    history = History()
    assert history.seconds_left is None
    for step, loss in enumerate([4.0, 2.0, float("nan")], start=1):
        history.add(StepDone(step, loss, 1e-3, seconds=10.0 * step, fraction=0.1 * step))
    assert history.losses == [4.0, 3.0]
    assert (history.step, history.seconds_left) == (3, pytest.approx(70))
    history.add(Validated(2, 0.8, 0.5, is_kept=True, seconds=20))
    history.add(Validated(3, 0.7, 0.6, is_kept=False, seconds=30))
    assert (history.scores, history.kept, history.on_training) == ([0.8, 0.7], (0.8, 20), False)
    history.add(Relabelled(7, 1, 3))
    history.add(Note("x"))
    assert (history.objects, history.notes) == (7, ["x"])


def test_a_long_run_keeps_a_curve_that_can_be_drawn() -> None:
    history = History()
    for step in range(1, 5 * DRAWN):
        history.add(StepDone(step, 1 / step, 1e-3, seconds=float(step), fraction=0.0))
    assert DRAWN / 2 <= len(history.losses) <= DRAWN
    assert history.loss_seconds == sorted(history.loss_seconds)
    assert history.loss_seconds[-1] > 4.9 * DRAWN
