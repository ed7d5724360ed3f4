"""What a viewer gets of a file: all pixels in canonical order, at once or block by block."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_unetseg.images.arrays import from_array
from napari_unetseg.images.display import label_picture, picture_of
from napari_unetseg.images.write import LabelWriter


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "CYX", "TZCYX", "XYZ"])
def test_lazy_and_whole_hold_the_same_pixels_in_canonical_order(axes: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 999, tuple(range(3, 3 + len(axes))), np.uint16)
    source = from_array(pixels, axes=axes)
    whole, lazy = picture_of(source), picture_of(source, limit=0)
    letters = "".join(letter for letter in "TCZYX" if letter in axes)
    assert whole.letters == lazy.letters == letters
    np.testing.assert_array_equal(whole.data, pixels.transpose([axes.index(letter) for letter in letters]))
    assert isinstance(lazy.data, da.Array)
    np.testing.assert_array_equal(lazy.data, whole.data)


@pytest.mark.parametrize("limit", [0, 10**6])
def test_colours_come_last(limit: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (9, 8, 3), np.uint8)
    picture = picture_of(from_array(pixels, axes="YXS"), limit=limit)
    assert picture.is_rgb
    np.testing.assert_array_equal(picture.data, pixels)


def test_a_plane_larger_than_a_block_is_cut() -> None:
    pixels = np.arange(3000 * 2100, dtype=np.uint32).reshape(3000, 2100)
    lazy = picture_of(from_array(pixels, axes="YX"), limit=0).data
    assert lazy.numblocks == (2, 2)
    assert int(lazy[2999, 2099]) == pixels[-1, -1]


def test_large_labels_of_a_store_come_with_their_levels(tmp_path: Path) -> None:
    labels = np.arange(1200 * 1100, dtype=np.uint32).reshape(1200, 1100)
    path = tmp_path / "a_labels.zarr"
    with LabelWriter(path, shape=labels.shape, axes="YX", scale={"Y": 0.5, "X": 0.5}, format="zarr") as writer:
        writer.write((), labels)
    small, large = label_picture(path), label_picture(path, limit=1000)
    assert isinstance(small.data, np.ndarray)
    assert small.scale == {"Y": 0.5, "X": 0.5}
    assert [level.shape for level in large.data] == [(1200, 1100), (600, 550)]
    np.testing.assert_array_equal(large.data[1], labels[::2, ::2])
