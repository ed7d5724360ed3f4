"""Progress from events, and the driving of generators."""

from __future__ import annotations

import io
import sys

import pytest

from napari_unetseg.cli.progress import Progress, drive
from napari_unetseg.cli.report import Report
from napari_unetseg.schema.events import ItemDone, Note, StepDone, TileDone, Validated


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_drive_returns_the_value_and_shows_each_event():
    def job():
        yield TileDone(1, 2, "a")
        yield Note("hello")
        return 42

    seen = []
    report = Report()
    assert drive(job(), report=report, watch=seen.append) == 42
    assert [type(event).__name__ for event in seen] == ["TileDone", "Note"]
    assert report.notes == ["hello"]


def test_drive_closes_the_generator_when_it_is_stopped():
    closed = []

    def job():
        try:
            yield TileDone(1, 2)
            yield TileDone(2, 2)
        finally:
            closed.append(True)

    def stop(event):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        drive(job(), report=Report(), watch=stop)
    assert closed == [True]


def test_without_a_terminal_a_line_appears_every_ten_seconds(capsys):
    clock = Clock()
    with Progress(report=Report(), items=2, clock=clock) as progress:
        progress.show(TileDone(0, 4, "a.tif"))
        clock.now = 5
        progress.show(TileDone(1, 4, "a.tif"))
        assert capsys.readouterr().err == ""
        clock.now = 10
        progress.show(TileDone(2, 4, "a.tif"))
        assert capsys.readouterr().err == " 25 % 1/2 a.tif 2/4, about 30 s left\n"
        clock.now = 11
        progress.show(ItemDone("a.tif", 1, 2))
        assert capsys.readouterr().err == ""


def test_a_resumed_run_reckons_from_where_it_started(capsys):
    clock = Clock()
    with Progress(report=Report(), clock=clock) as progress:
        progress.show(StepDone(50, 1.0, 1e-3, 60, 0.5))
        clock.now = 25
        progress.show(StepDone(75, 0.5, 1e-3, 85, 0.75))
    assert capsys.readouterr().err == " 75 % step 75, loss 0.5000, about 25 s left\n"


def test_validation_does_not_move_the_share_of_a_training(capsys):
    clock = Clock()
    with Progress(report=Report(), clock=clock) as progress:
        progress.show(StepDone(10, 1.0, 1e-3, 60, 0.2))
        clock.now = 20
        progress.show(TileDone(9, 10, "validation"))
        progress.show(Validated(10, 0.8, 0.6, True, 61))
        progress.show(Validated(15, 0.9, 0.5, False, 62))
        clock.now = 40
        progress.show(StepDone(20, 0.5, 1e-3, 85, 0.4))
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(" 20 % ")
    assert second == " 40 % step 20, loss 0.5000, kept: AP at IoU 0.5 0.800, about 2 min 00 s left"


def test_a_failed_item_is_named_at_once(capsys):
    with Progress(report=Report(), items=2) as progress:
        progress.show(ItemDone("b.tif", 1, 2, error="b.tif: is empty"))
    assert capsys.readouterr().err == "failed: b.tif: is empty\n"


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(report=Report(), items=1) as progress:
        progress.show(TileDone(1, 2, "a.tif"))
        progress.show(Note("said above the bar"))
        progress.show(TileDone(2, 2, "a.tif"))
    text = terminal.getvalue()
    assert " 50% |####" in text
    assert "said above the bar\n" in text
