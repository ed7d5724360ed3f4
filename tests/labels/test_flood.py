import numpy as np
import pytest
from scipy import ndimage
from skimage.segmentation import watershed

from napari_unetseg.labels import flood as flooding


def flood(landscape, seeds, inside):
    """Flood a whole image."""
    where = np.flatnonzero(inside)
    level, seed = (values.ravel()[where] for values in (landscape.astype(np.uint16), seeds))
    labels = np.zeros(inside.shape, np.int32)
    labels.ravel()[where] = flooding.flood(where, level=level, seed=seed, shape=inside.shape)
    return labels


def _case(shape, *, seed, levels=256):
    """A smooth random landscape, one seed in each of its deep valleys, and an inside with a bay."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.random(shape), 2)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    landscape = (np.floor(smooth * (levels - 1e-9)) * (255 // (levels - 1))).astype(np.uint8)
    seeds, _ = ndimage.label(smooth < 0.3)
    return landscape, seeds.astype(np.int32), smooth < 0.8


def test_fronts_meet_on_the_ridge():
    landscape = np.array([[0, 1, 5, 9, 3, 2, 0]], np.uint8)
    seeds = np.array([[1, 0, 0, 0, 0, 0, 2]], np.int32)
    inside = np.ones((1, 7), bool)
    np.testing.assert_array_equal(flood(landscape, seeds, inside), [[1, 1, 1, 2, 2, 2, 2]])
    np.testing.assert_array_equal(flood(landscape[:, ::-1], seeds[:, ::-1], inside), [[2, 2, 2, 2, 1, 1, 1]])


def test_on_flat_ground_fronts_meet_halfway():
    seeds = np.zeros((1, 9), np.int32)
    seeds[0, 0], seeds[0, 8] = 7, 3
    expected = [[7, 7, 7, 7, 7, 3, 3, 3, 3]]  # of two that arrive together, the one before in the raster
    np.testing.assert_array_equal(flood(np.zeros((1, 9), np.uint8), seeds, np.ones((1, 9), bool)), expected)


def test_a_basin_without_a_seed_falls_to_whom_its_lower_pass_belongs():
    landscape = np.array([[0, 8, 2, 1, 2, 6, 0]], np.uint8)
    seeds = np.array([[1, 0, 0, 0, 0, 0, 2]], np.int32)
    flooded = flood(landscape, seeds, np.ones((1, 7), bool))
    np.testing.assert_array_equal(flooded, [[1, 1, 2, 2, 2, 2, 2]])


def test_what_lies_outside_or_cannot_be_reached_stays_empty():
    inside = np.array([[True, True, False, True], [False, False, False, True]])
    seeds = np.array([[4, 0, 9, 0], [0, 0, 0, 0]], np.int32)
    np.testing.assert_array_equal(flood(np.zeros((2, 4), np.uint8), seeds, inside), [[4, 4, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (4, 1), (2, 3, 1)])
def test_nothing_to_flood(shape):
    nothing = np.zeros(shape, np.int32)
    assert flood(nothing.astype(np.uint8), nothing, np.ones(shape, bool)).shape == shape
    full = nothing + 5
    np.testing.assert_array_equal(flood(nothing.astype(np.uint8), full, np.ones(shape, bool)), full)


@pytest.mark.parametrize("shape", [(60, 70), (14, 20, 22)])
def test_nearly_all_pixels_are_those_of_scikit_image(shape):
    differ = total = 0
    for seed in range(5):
        landscape, seeds, inside = _case(shape, seed=seed)
        theirs = watershed(landscape, np.where(inside, seeds, 0), mask=inside)
        ours = flood(landscape, seeds, inside)
        np.testing.assert_array_equal(ours > 0, theirs > 0)
        differ += np.count_nonzero(ours != theirs)
        total += np.count_nonzero(inside)
    assert differ < 0.01 * total


@pytest.mark.parametrize("levels", [2, 6, 256])
def test_what_happens_far_away_changes_nothing(levels):
    landscape, seeds, inside = _case((80, 160), seed=3, levels=levels)
    apart = inside.copy()
    apart[:, 80:] = False
    apart[:, 78:80] = False  # a gap, so that the left side is a piece by itself
    alone = flood(landscape[:, :80], seeds[:, :80], apart[:, :80])
    apart[:, 80:] = inside[:, 80:]
    np.testing.assert_array_equal(flood(landscape, seeds, apart)[:, :80], alone)


def test_moved_and_renumbered_it_is_the_same():
    landscape, seeds, inside = _case((50, 60), seed=1, levels=4)
    whole = flood(landscape, seeds, inside)
    moved = flood(*(np.pad(part, ((3, 2), (5, 1))) for part in (landscape, seeds, inside)))
    np.testing.assert_array_equal(moved[3:-2, 5:-1], whole)
    numbers = np.random.default_rng(0).permutation(seeds.max() + 1).astype(np.int32) + 1
    numbers[0], numbers[numbers == 0] = 0, 0
    renamed = np.where(seeds > 0, numbers[seeds], 0).astype(np.int32)
    np.testing.assert_array_equal(flood(landscape, renamed, inside), np.where(whole > 0, numbers[whole], 0))
