"""Every sentence is told once, with the name of who says it first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_unetseg.images.arrays import from_array
from napari_unetseg.images.notes import GroupedNotes, sentences_of
from napari_unetseg.images.source import ImageSource

GUESS = "3 planes of 8x8 without metadata: taken for ZYX; pass --axes to change"


def source(name: str, *notes: str, planes: int = 3) -> ImageSource:
    made = from_array(np.zeros((planes, 8, 8), np.uint8), name=name)
    return replace(made, notes=(*made.notes, *notes), path=Path("folder") / name)


def test_what_is_said_twice_is_told_once_without_the_name() -> None:
    one = source("a.tif", "a.tif: it is dark", "it is dark")
    assert sentences_of(replace(one, notes=(*one.notes, f"{one.path}: {GUESS}"))) == [GUESS, "it is dark"]


def test_guesses_are_grouped_by_letters_and_other_sentences_by_their_words() -> None:
    notes = GroupedNotes()
    for one in (source("a.tif"), source("b.tif", "b.tif: it is dark", planes=5), source("c.tif", "it is dark")):
        notes.add(one)
    assert notes.sentences() == [f"a.tif and 2 others: {GUESS}", "b.tif and 1 other: it is dark"]


def test_nothing_said_is_nothing_told() -> None:
    notes = GroupedNotes()
    notes.add(from_array(np.zeros((8, 8), np.uint8), axes="YX"))
    assert notes.sentences() == []
