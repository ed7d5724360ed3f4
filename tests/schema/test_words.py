"""Numbers with their nouns, and times."""

from __future__ import annotations

import pytest

from napari_unetseg.schema.words import blended, counted, decimal, duration, percent, significant


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (0.42, "0.4 s"),
        (5, "5 s"),
        (9.7, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 00 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations_are_as_people_say_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.000"), (-1e-16, "0.000"), (0.00123, "0.00123"), (0.9124, "0.912"), (-0.5, "-0.500"), (12.34, "12.3")],
)
def test_small_numbers_keep_their_digits(value: float, text: str) -> None:
    assert decimal(value) == text


def test_blended_tiles_say_what_they_change_where_that_is_known() -> None:
    assert blended(None) == "blended"
    assert blended(0.00234) == "blended (0.23 %)"
    assert percent(0.0142) == "1.4 %"


@pytest.mark.parametrize(
    ("value", "two", "three"),
    [
        (0.02, "0.020", "0.0200"),
        (0.0234, "0.023", "0.0234"),
        (0.0996, "0.10", "0.0996"),
        (1.94, "1.9", "1.94"),
        (9.96, "10", "9.96"),
        (31, "31", "31.0"),
        (134.4, "130", "134"),
        (12345, "12,000", "12,300"),
        (0, "0", "0"),
    ],
)
def test_numbers_beside_each_other_have_the_same_digits(value: float, two: str, three: str) -> None:
    assert (significant(value, digits=2), significant(value)) == (two, three)
