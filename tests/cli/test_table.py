"""Text tables."""

from __future__ import annotations

from napari_unetseg.cli.table import WIDTH, table, wrapped
from napari_unetseg.models import library
from napari_unetseg.models.facts import main_facts
from napari_unetseg.models.file import read_card


def test_words_to_the_left_numbers_to_the_right():
    text = table([("a", 1, 0.5), ("long name", 1000, None)], head=("file", "n", "score"))
    assert text.split("\n") == [
        "file          n  score",
        "---------  ----  -----",
        "a             1  0.500",
        "long name  1000      -",
    ]


def test_a_small_number_is_not_rounded_away():
    rows = table([("a", 0.000353), ("b", 0.0)], head=("file", "score")).split("\n")[2:]
    assert rows == ["a     0.000353", "b        0.000"]


def test_no_rows_give_the_head():
    assert table([], head=("file", "n")) == "file  n\n----  -"


def test_a_long_text_goes_on_in_rows_without_a_name():
    rows = wrapped({"name": "toy", "description": "word " * 60, "file": "a"})
    assert [name for name, _ in rows] == ["name", "description", "", "", "", "file"]
    assert max(len(text) for _, text in rows) <= WIDTH


def test_the_bundled_models_fit_on_one_screen():
    for path in library.bundled().values():
        assert len(wrapped(main_facts(read_card(path), path=path))) <= 20
