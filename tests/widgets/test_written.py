"""What runs have written is told from what a person has changed."""

from __future__ import annotations

import numpy as np

from napari_unetseg.widgets._written import BLOCK, KEPT, Written

ALL = (slice(0, 2), slice(0, 3), slice(0, 150), slice(0, 100))


def canvas() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 50, (2, 3, 150, 100)).astype(np.uint32)


def test_what_was_written_is_no_correction_and_one_pixel_is() -> None:
    labels, written = canvas(), Written()
    assert written.is_corrected(labels, ALL)  # nobody knows where these come from
    written.note(labels, ALL)
    assert not written.is_corrected(labels, ALL)
    labels[1, 2, 149, 99] += 1
    assert written.is_corrected(labels, ALL)
    assert not written.is_corrected(labels, (slice(1, 2), slice(0, 2), *ALL[2:]))
    labels[1, 2, 149, 99] -= 1
    assert not written.is_corrected(labels, ALL)


def test_two_pixels_that_change_places_are_a_correction() -> None:
    labels, written = canvas(), Written()
    written.note(labels, ALL)
    labels[0, 0, 3, [4, 5]] = labels[0, 0, 3, [5, 4]] + [0, 1]
    labels[0, 0, 3, 5] -= 1
    assert written.is_corrected(labels, ALL)


def test_a_correction_far_from_the_region_does_not_count() -> None:
    labels, written = canvas(), Written()
    written.note(labels, ALL)
    labels[0, 0, 0, 0] += 1
    below = (slice(0, 1), slice(0, 1), slice(BLOCK, 150), slice(0, 100))
    assert not written.is_corrected(labels, below)
    assert written.is_corrected(labels, (*below[:2], slice(BLOCK - 1, 150), slice(0, 100)))


def test_an_empty_layer_and_earlier_states_are_known() -> None:
    written = Written()
    assert not written.is_corrected(np.zeros((1, 1, 70, 70), np.uint32), ALL)
    labels = canvas()
    for step in range(KEPT):
        written.note(labels + step, ALL)
    assert not written.is_corrected(labels, ALL)
    written.note(labels + KEPT, ALL)
    assert written.is_corrected(labels, ALL)
