"""Layers become samples: planes that say something, with what is known of each pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_unetseg.images.arrays import from_array
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.pairs import Pair, Pairs, Reading


def stack() -> tuple[np.ndarray, np.ndarray]:
    """Three planes; only the middle one has an object."""
    image = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24)
    labels = np.zeros(image.shape, np.uint8)
    labels[1, 5:9, 5:9] = 4
    return image, labels


def pairs_of(image: Any, labels: Any, *, axes: str = "ZYX", regions: Any = None, **reading: Any) -> Pairs:
    source = from_array(image, axes=axes, name="stack", scale={"Z": 2.0, "Y": 0.5, "X": 0.5})
    return Pairs([Pair(source, labels, regions)], reading=Reading(**reading))


def test_planes_without_paint_are_left_out_unless_zero_is_background() -> None:
    image, labels = stack()
    (plane,) = finish(pairs_of(image, labels, zero_is_background=False).load())
    assert (plane.name, plane.origin, plane.pixel_size) == ("stack z1", "stack", (0.5, 0.5))
    np.testing.assert_array_equal(plane.image[0], image[1])
    assert {-1, 0, 4} == set(np.unique(plane.labels))
    assert len(finish(pairs_of(image, labels, zero_is_background=True).load())) == 3


def test_a_region_makes_a_plane_count() -> None:
    image, labels = stack()
    regions = np.zeros(labels.shape, bool)
    regions[2, :4] = True
    found = finish(pairs_of(image, labels, regions=regions, zero_is_background=False).load())
    assert [sample.name for sample in found] == ["stack z1", "stack z2"]
    np.testing.assert_array_equal(found[1].labels == 0, regions[2])


def test_volumes_and_channels() -> None:
    image, labels = stack()
    (volume,) = finish(pairs_of(image, labels, ndim=3).load())
    assert (volume.image.shape, volume.pixel_size) == ((1, 3, 20, 24), (2.0, 0.5, 0.5))
    (two,) = finish(pairs_of(image, labels[1], axes="CYX", channels=[2, 0]).load())
    np.testing.assert_array_equal(two.image, image[[2, 0]])
    with pytest.raises(InputError, match="needs an image with a Z axis"):
        finish(pairs_of(image, labels[1], axes="CYX", ndim=3).load())


def test_new_labels_do_not_read_pixels_again() -> None:
    image, labels = stack()
    pairs = pairs_of(image, labels, zero_is_background=False)
    (before,) = finish(pairs.load())
    more = labels.copy()
    more[0, 2:6, 2:6] = 9
    fresh = pairs.samples([more])
    assert [sample.name for sample in fresh] == ["stack z0", "stack z1"]
    assert fresh[1].image is before.image
    assert fresh[0].stretch == before.stretch
