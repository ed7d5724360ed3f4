"""What a validation hands out is always of the same images and places."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.tasks.showcase import EDGE, choose, excerpt, shortage


@pytest.mark.parametrize(
    ("count", "total", "chosen"),
    [(0, 5, set()), (1, 5, {0}), (2, 5, {0, 4}), (3, 5, {0, 2, 4}), (9, 2, {0, 1}), (3, 0, set())],
)
def test_chosen_ones_are_spread(count, total, chosen):
    assert choose(count, total=total) == chosen


def test_fewer_than_wanted_are_told():
    assert shortage(2, total=2) == shortage(0, total=0) == ""
    assert shortage(3, total=2) == "2 samples instead of 3: a validation looks at no more images"
    assert shortage(3, total=0) == "no images are held back, so there are no samples to show"


def handed_out(image, truth):
    return excerpt(image, truth=truth, found=truth + 1, name="a", score=0.5)


def test_of_a_volume_the_middle_plane():
    image = np.arange(5.0).reshape(1, 5, 1, 1).repeat(4, axis=2).repeat(6, axis=3) / 4
    truth = np.arange(5).reshape(5, 1, 1).repeat(4, axis=1).repeat(6, axis=2)
    sample = handed_out(image, truth)
    np.testing.assert_array_equal(sample.truth, np.full((4, 6), 2))
    np.testing.assert_array_equal(sample.found, np.full((4, 6), 3))
    np.testing.assert_array_equal(sample.image, np.full((1, 4, 6), 0.5, np.float32))


@pytest.mark.parametrize(("where", "start"), [(0, 0), (299, 300 - EDGE), (150, 150 - EDGE // 2)])
def test_of_a_large_image_what_lies_around_the_annotated_pixels(where, start):
    image, truth = np.zeros((1, 8, 300)), np.zeros((8, 300), np.int32)
    image[0, 3] = np.arange(300) / 300
    truth[3, where] = 7
    sample = handed_out(image, truth)
    assert sample.truth.shape == (8, EDGE)
    assert sample.truth[3, where - start] == 7
    np.testing.assert_allclose(sample.image[0, 3], np.arange(start, start + EDGE) / 300, rtol=1e-6)


def test_three_channels_are_colours_of_others_one_is_shown_and_memory_is_its_own():
    truth = np.zeros((4, 4), np.int32)
    assert handed_out(np.ones((3, 4, 4)), truth).image.shape == (3, 4, 4)
    assert handed_out(np.ones((2, 4, 4)), truth).image.shape == (1, 4, 4)
    sample = handed_out(2 * np.ones((1, 4, 4)), truth)
    assert sample.image.max() == 1
    truth += 9
    assert sample.truth.max() == 0
