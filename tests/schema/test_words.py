"""Numbers with their nouns."""

from __future__ import annotations

import pytest

from napari_unetseg.schema.words import counted


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (2, "time point", "2 time points"),
        (12345, "object", "12,345 objects"),
        (1.0, "minute", "1 minute"),
        (0.5, "minute", "0.5 minutes"),
    ],
)
def test_one_is_singular(number: float, noun: str, text: str) -> None:
    assert counted(number, noun) == text


def test_a_plural_of_its_own() -> None:
    assert counted(3, "axis", "axes") == "3 axes"
