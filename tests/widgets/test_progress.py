"""The progress row says how far a job is and how long it takes, also to a dock opened late."""

from __future__ import annotations

import time

import pytest

from napari_unetseg.widgets._progress import ProgressRow


@pytest.fixture
def row(qtbot) -> ProgressRow:
    row = ProgressRow()
    qtbot.addWidget(row)
    return row


def test_it_is_hidden_until_something_runs_and_after_an_empty_end(row) -> None:
    assert row.isHidden()
    row.start()
    assert not row.isHidden()
    assert row.bar.maximum() == 0  # a bar that moves
    row.stop()
    assert row.isHidden()


def test_share_and_time_left_come_from_the_pace(row, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    row.start()
    now[0] = 130.0
    row.show_fraction(0.25, detail="image 2 of 4")
    assert row.text.text() == "25 % · 1 min 30 s left · image 2 of 4"
    assert row.bar.value() / row.bar.maximum() == 0.25
    row.start(began=40.0)  # a dock opened 90 s after the start
    row.show_fraction(0.75)
    assert row.text.text() == "75 % · 30 s left"
    row.show_fraction(0.5, left=7.2)
    assert row.text.text() == "50 % · 7 s left"


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_no_time_is_told_at_the_ends(row, fraction) -> None:
    row.start()
    row.show_fraction(fraction)
    assert row.text.text() == f"{100 * fraction:.0f} %"


def test_the_last_word_stays_without_the_bar(row) -> None:
    row.start()
    row.stop("3 done")
    assert (row.text.text(), row.bar.isHidden(), row.isHidden()) == ("3 done", True, False)
