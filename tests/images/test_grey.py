"""Grey pictures in colour are told from coloured ones."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.arrays import from_array
from napari_unetseg.images.grey import is_grey

GREY = np.arange(600 * 8, dtype=np.uint16).reshape(600, 8)


def test_equal_colours_are_grey() -> None:
    assert is_grey(from_array(np.stack([GREY] * 3, axis=-1), axes="YXS"))
    assert is_grey(from_array(np.stack([GREY] * 3 + [GREY // 2], axis=-1), axes="YXS"))  # with transparency
    assert is_grey(from_array(np.stack([[GREY] * 3] * 2), axes="ZSYX"))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_one_pixel_of_colour_is_enough(channel: int) -> None:
    colours = np.stack([GREY] * 3, axis=-1)
    colours[599, 7, channel] += 1
    assert not is_grey(from_array(colours, axes="YXS"))


@pytest.mark.parametrize("axes", ["CYX", "ZYX"])
def test_equal_channels_or_planes_are_no_colours(axes: str) -> None:
    assert not is_grey(from_array(np.stack([GREY] * 3), axes=axes))
