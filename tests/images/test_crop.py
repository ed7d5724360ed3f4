"""A cut of a lazy image reads the same pixels as the image there, and remembers the planes it comes from."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.crop import crop
from napari_unetseg.images.read import from_array
from napari_unetseg.schema.errors import InputError


def test_a_cut_is_the_image_there() -> None:
    image = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    cut = crop(from_array(image, axes="TZYX"), {"T": slice(1, 2), "Z": slice(1, 3), "Y": slice(2, 4), "X": slice(0, 3)})
    assert cut.shape == (1, 2, 2, 3)
    np.testing.assert_array_equal(cut.read(), image[1, 1:3, 2:4, 0:3][None])
    np.testing.assert_array_equal(cut.read(z=1, yx=(slice(1, 2), slice(1, 3))), image[1, 2, 3:4, 1:3][None])


def test_colours_stay_whole() -> None:
    image = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    cut = crop(from_array(image, axes="YXS"), {"Y": slice(1, 3), "X": slice(1, 2)})
    np.testing.assert_array_equal(cut.read(z=0, channels=[2]), image[1:3, 1:2, 2][None])


def test_a_cut_in_the_plane_keeps_its_planes_and_one_of_planes_needs_none() -> None:
    source = from_array(np.arange(60).reshape(3, 4, 5), axes="ZYX")
    assert crop(source, {"Z": slice(1, 2)}).context is None
    context = crop(source, {"Z": slice(1, 2), "X": slice(2, 3)}).context
    assert context is not None
    np.testing.assert_array_equal(context.read(z=0), np.arange(20, 40).reshape(1, 4, 5))


def test_an_empty_region_is_refused() -> None:
    with pytest.raises(InputError, match="Y region"):
        crop(from_array(np.zeros((4, 5))), {"Y": slice(4, 9)})
