"""Palette PNGs: the colours of PASCAL VOC, a round trip, and what a PNG cannot hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_unetseg.images.palette import voc_palette, write_palette
from napari_unetseg.images.read import read_labels
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize(
    ("index", "colour"),
    [
        (0, (0, 0, 0)),
        (1, (128, 0, 0)),
        (2, (0, 128, 0)),
        (15, (192, 128, 128)),
        (20, (0, 64, 128)),
        (255, (224, 224, 192)),
    ],
)
def test_the_colours_are_those_of_voc(index: int, colour: tuple[int, int, int]) -> None:
    assert tuple(voc_palette()[index].tolist()) == colour


def test_no_two_indices_share_a_colour() -> None:
    assert len(np.unique(voc_palette(), axis=0)) == 256


@pytest.mark.parametrize("labels", [[[0, 1, 2]], [[0, 1, -1]], [[-1, 253, 7]], [[0, 254, 5]], [[0, 0, 0]]])
def test_what_is_written_is_read(tmp_path: Path, labels: list[list[int]]) -> None:
    path = write_palette(tmp_path / "a.png", np.array(labels))
    with Image.open(path) as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((0, 0)) == tuple(voc_palette()[labels[0][0]].tolist())
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[255]], "ids up to 254, got 255; a TIFF holds all, leave --palette out"),
        ([[254, -1]], "ids up to 253 beside pixels of -1, got 254; a TIFF holds all, leave --palette out"),
        ([[[1]]], "one plane"),
        ([[-2]], "holds the id -2"),
    ],
)
def test_what_a_png_cannot_hold_is_refused(tmp_path: Path, labels: list[list[int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_palette(tmp_path / "a.png", np.array(labels))
    assert not (tmp_path / "a.png").exists()
