"""Text tables."""

from __future__ import annotations

from napari_unetseg.cli.table import table


def test_words_to_the_left_numbers_to_the_right():
    text = table([("a", 1, 0.5), ("long name", 1000, None)], head=("file", "n", "score"))
    assert text.split("\n") == [
        "file          n  score",
        "---------  ----  -----",
        "a             1  0.500",
        "long name  1000      -",
    ]


def test_no_rows_give_the_head():
    assert table([], head=("file", "n")) == "file  n\n----  -"
