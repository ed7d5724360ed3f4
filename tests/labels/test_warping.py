"""Warping of borders, against counting components and on cases that can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_unetseg.labels.warping import RING, simple_codes, warp, warping_errors

NOTHING = {"warping_error": 0, "split_merge_error": 0, "splits": 0, "mergers": 0}


def two_cells() -> np.ndarray:
    """1 1 1 1 0 2 2 2 2, six times: two cells with a border between them; True in cells."""
    return np.tile(np.arange(9) != 4, (6, 1))


def component_counts(cells: np.ndarray) -> tuple[int, int]:
    """Count cells through faces, and borders through corners too, with the border around the image."""
    padded = np.pad(cells, 1)
    return ndimage.label(padded)[1], ndimage.label(~padded, np.ones((3, 3)))[1]


def test_a_simple_pixel_is_one_whose_flip_changes_no_count() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        cells = rng.random((7, 8)) < 0.6
        padded = np.pad(cells, 1)
        for y, x in np.ndindex(cells.shape):
            code = sum(int(padded[1 + y + dy, 1 + x + dx]) << bit for bit, (dy, dx) in enumerate(RING))
            flipped = cells.copy()
            flipped[y, x] ^= True
            assert simple_codes()[code] == (component_counts(flipped) == component_counts(cells))


@pytest.mark.parametrize("seed", range(8))
def test_warping_keeps_the_topology_and_stops_where_no_pixel_is_simple(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, found = (ndimage.uniform_filter(rng.random((33, 40)), 1 + seed % 3) < 0.5 for _ in range(2))
    warped = warp(truth, found)
    assert component_counts(warped) == component_counts(truth)
    assert (warped != found).sum() < (truth != found).sum()
    assert not ((warped != truth) & (warped != found)).any()  # only what differs is flipped
    for y, x in np.argwhere(warped != found):
        flipped = warped.copy()
        flipped[y, x] ^= True
        assert component_counts(flipped) != component_counts(warped)
    np.testing.assert_array_equal(warp(truth, found), warped)


def test_a_border_that_is_shifted_or_thick_is_no_error() -> None:
    truth = two_cells()
    thick, bent = truth.copy(), np.roll(truth, 1, axis=1)
    thick[:, 2:7] = False
    bent[3:] = truth[3:]
    for found in (truth, np.roll(truth, -1, axis=1), thick, np.roll(thick, 1, axis=1), bent):
        assert warping_errors(found, truth) == NOTHING
    assert warping_errors(truth, thick) == NOTHING


def test_a_border_away_from_the_true_one_is_another_border() -> None:
    """The old one cannot go before the new one is closed, whose last pixel would split a cell."""
    errors = warping_errors(np.roll(two_cells(), 2, axis=1), two_cells())
    assert errors == {"warping_error": 7 / 54, "split_merge_error": 7 / 54, "splits": 1, "mergers": 1}


def test_a_gap_merges_two_cells() -> None:
    found = two_cells()
    found[2:4, 4] = True
    expected = {"warping_error": 2 / 54, "split_merge_error": 2 / 54, "splits": 0, "mergers": 1}
    assert warping_errors(found, two_cells()) == expected
    assert warping_errors(np.ones_like(found), two_cells()) == {
        "warping_error": 6 / 54,
        "split_merge_error": 6 / 54,
        "splits": 0,
        "mergers": 1,
    }


def test_a_border_too_many_splits_a_cell_in_its_last_pixel() -> None:
    found = two_cells()
    found[:, 1] = False
    expected = {"warping_error": 1 / 54, "split_merge_error": 1 / 54, "splits": 1, "mergers": 0}
    assert warping_errors(found, two_cells()) == expected
    found[3, :4] = False  # crosses the other border: the cell is in four pieces
    assert warping_errors(found, two_cells())["splits"] == 3


def test_a_slanted_border_is_in_the_way_as_a_whole() -> None:
    """Pixels that touch at their corners are one border, so what is missing of it merges its two cells once."""
    truth = ~np.eye(8, dtype=bool)
    assert warping_errors(np.ones((8, 8), bool), truth) == {
        "warping_error": 8 / 64,
        "split_merge_error": 8 / 64,
        "splits": 0,
        "mergers": 1,
    }


def test_specks_holes_and_lost_cells_neither_split_nor_merge() -> None:
    truth = two_cells()
    speck = truth.copy()
    speck[2:4, 1:3] = False
    assert warping_errors(speck, truth) == {**NOTHING, "warping_error": 4 / 54}
    assert warping_errors(truth, speck) == {**NOTHING, "warping_error": 1 / 54}  # a hole shrinks to its last pixel
    lost = truth.copy()
    lost[:, 5:] = False
    assert warping_errors(lost, truth) == {**NOTHING, "warping_error": 1 / 54}


def test_planes_of_a_stack_are_scored_one_by_one() -> None:
    truth = np.stack([two_cells()] * 2)
    found = np.stack([two_cells(), np.ones_like(truth[0])])
    assert warping_errors(found, truth) == {
        "warping_error": 6 / 108,
        "split_merge_error": 6 / 108,
        "splits": 0,
        "mergers": 1,
    }


def test_what_nobody_knows_is_no_error() -> None:
    found, known = two_cells(), np.ones((6, 9), bool)
    found[2:4, 4] = known[2:4, 4] = False
    found[2:4, 4] = True
    assert warping_errors(found, two_cells(), known=known) == NOTHING
    known[2] = True
    assert warping_errors(found, two_cells(), known=known)["warping_error"] == 0  # the cells are one already
    known[3] = True
    assert warping_errors(found, two_cells(), known=known)["mergers"] == 1
    assert warping_errors(found, two_cells(), known=np.zeros_like(known)) == NOTHING


@pytest.mark.parametrize("shape", [(0, 4), (1, 1), (0, 4, 4)])
def test_images_of_hardly_any_pixels_are_scored(shape: tuple[int, ...]) -> None:
    assert warping_errors(np.ones(shape, bool), np.ones(shape, bool)) == NOTHING
