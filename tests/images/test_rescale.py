"""Resampling: identity, constants, hand-computed values, and windows that give what the whole gives."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.rescale import last_support, resample, scaled_shape, support


def whole(array: np.ndarray, factor: float, shape: tuple[int, ...] | None = None) -> np.ndarray:
    shape = shape or scaled_shape(array.shape[1:], factor=factor)
    region = tuple(slice(0, length) for length in shape)
    return resample(array, region=region, shape=array.shape[1:], start=(0,) * len(shape), factor=factor)


def image_of(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)


def test_factor_one_changes_nothing() -> None:
    image = image_of(7, 9)
    np.testing.assert_array_equal(whole(image, 1.0), image)


@pytest.mark.parametrize("factor", [0.125, 0.3, 0.5, 1.7, 4.0])
def test_a_constant_stays_constant(factor: float) -> None:
    found = whole(np.full((1, 13, 5, 8), 3, np.float32), factor)
    np.testing.assert_allclose(found, 3, rtol=1e-6)


def test_doubling_interpolates_and_halving_weighs_four_pixels() -> None:
    """Doubled, centres lie a quarter of a pixel off; halved, between two pixels: weights 1 3 3 1."""
    line = np.array([[[0, 4, 8, 0]]], np.float32)
    np.testing.assert_allclose(whole(line, 2.0, (1, 8))[0, 0], [0, 1, 3, 5, 7, 6, 2, 0])
    np.testing.assert_allclose(whole(line, 0.5)[0, 0], [(3 * 0 + 3 * 4 + 8) / 7, (4 + 3 * 8 + 0) / 7], rtol=1e-6)


def test_a_finer_pattern_than_the_copy_can_hold_becomes_grey() -> None:
    stripes = np.tile(np.array([0, 1], np.float32), 40)[None, None]
    np.testing.assert_allclose(whole(stripes, 0.25)[0, 0, 1:-1], 0.5, atol=1e-6)


@pytest.mark.parametrize("factor", [0.25, 0.31, 0.77, 1.3, 3.9])
@pytest.mark.parametrize("shape", [(61, 47), (11, 23, 19)])
def test_a_window_gives_the_values_of_the_whole_to_the_bit(factor: float, shape: tuple[int, ...]) -> None:
    image = image_of(*shape)
    all_of_it = whole(image, factor)
    region = tuple(slice(length // 3, max(length // 3 + 1, 2 * length // 3)) for length in all_of_it.shape[1:])
    part = support(region, shape=shape, factor=factor)
    assert any(side.stop - side.start < length for side, length in zip(part, shape, strict=True))
    window = image[(slice(None), *part)]
    found = resample(window, region=region, shape=shape, start=tuple(side.start for side in part), factor=factor)
    np.testing.assert_array_equal(found, all_of_it[(slice(None), *region)])


def test_back_again_a_smooth_image_is_the_same() -> None:
    y, x = np.mgrid[:64, :80] / 20
    image = (np.sin(y) + np.cos(x))[None].astype(np.float32)
    back = whole(whole(image, 0.5), 2.0, (64, 80))
    assert np.abs(back - image)[:, 3:-3, 3:-3].max() < 0.01


def test_the_last_pixel_grows_with_the_place() -> None:
    last = last_support(np.arange(100), length=26, factor=1 / 0.26)
    assert (np.diff(last) >= 0).all()
    assert (last[0], last[-1]) == (0, 25)


def test_a_single_pixel() -> None:
    assert whole(np.ones((1, 1, 1), np.float32), 0.125).shape == (1, 1, 1)
    np.testing.assert_array_equal(whole(np.ones((1, 1, 1), np.float32), 4.0), np.ones((1, 4, 4)))


@pytest.mark.parametrize("factor", [0.4, 1.7])
def test_nothing_beyond_the_support_is_looked_at(factor: float) -> None:
    """Maps of tiles that are still to come hold whatever was in memory."""
    shape, region = (30, 40), (slice(3, 8), slice(5, 9))
    array = np.random.default_rng(0).random((1, *shape), np.float32)
    needed = (slice(None), *support(region, shape=shape, factor=factor))
    unfinished = np.full_like(array, np.inf)
    unfinished[:, ::2] = -np.inf  # the mean of both is an error
    unfinished[needed] = array[needed]
    with np.errstate(all="raise"):
        found = resample(unfinished, region=region, shape=shape, start=(0, 0), factor=factor)
    np.testing.assert_array_equal(found, resample(array, region=region, shape=shape, start=(0, 0), factor=factor))
