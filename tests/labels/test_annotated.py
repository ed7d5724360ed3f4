"""Each pixel of a painted map says its object, background or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.annotated import annotate, count_painted

PAINTED = np.zeros((1, 16), np.uint8)
PAINTED[0, 5:7], PAINTED[0, 13:15] = 3, 9


def row(text: str) -> list[int]:
    return [-1 if sign == "." else int(sign) for sign in text]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"zero_is_background": True}, "0000033000000990"),
        ({"zero_is_background": True, "background_id": 9}, "0000033000000000"),
        ({"zero_is_background": False}, "..00033000000990"),
        ({"zero_is_background": False, "background_id": 9}, "..00033000...00."),
        ({"zero_is_background": False, "background_id": 3}, ".....00...000990"),
    ],
)
def test_what_is_known_of_each_pixel(options, expected) -> None:
    np.testing.assert_array_equal(annotate(PAINTED, **options)[0], row(expected))
    assert PAINTED.max() == 9


def test_inside_a_region_zero_is_background() -> None:
    regions = np.zeros(PAINTED.shape, bool)
    regions[0, :5] = True
    found = annotate(PAINTED, zero_is_background=False, background_id=9, regions=regions)
    np.testing.assert_array_equal(found[0], row("000003300" + "0...00."))


def test_ignored_pixels_stay_and_an_empty_map_is_all_unknown() -> None:
    labels = np.array([[-1, 0, 2]], np.int16)
    np.testing.assert_array_equal(annotate(labels, zero_is_background=True), labels)
    assert (annotate(np.zeros((4, 4), int), zero_is_background=False) == -1).all()


def test_the_margin_follows_the_pixel_size() -> None:
    labels = np.zeros((9, 3, 3), np.int32)
    labels[4] = 1
    found = annotate(labels, zero_is_background=False, spacing=(2.0, 1.0, 1.0))
    np.testing.assert_array_equal(found[:, 0, 0], [-1, -1, -1, 0, 1, 0, -1, -1, -1])


def test_objects_are_counted_without_scribbles() -> None:
    assert count_painted(PAINTED).objects == 2
    alone = count_painted(PAINTED, background_id=9)
    assert (alone.objects, alone.share, alone.is_little) == (1, 2 / 16, False)
    assert count_painted(PAINTED.astype(np.int64) * 2**40).objects == 2
    assert count_painted(np.zeros((0, 4), int)).objects == 0
    few = np.zeros((100, 100), np.int32)
    few[:5, :5] = 1
    assert count_painted(few).is_little


def test_classes_have_no_margin_of_background() -> None:
    labels = np.array([[0, 0, 3, 3, 0, 0, 0, 9, 9, 0]])
    known = annotate(labels, zero_is_background=False, background_id=9, has_objects=False)
    np.testing.assert_array_equal(known, [[-1, -1, 3, 3, -1, -1, -1, 0, 0, -1]])
