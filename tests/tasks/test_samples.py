"""Pairs are checked, ids survive, and validation never sees what training sees."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.normalize import Stretch
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.samples import Sample, compact, fingerprint, prepare, split


def prepared(sample: Sample) -> Sample:
    return prepare([sample], ndim=2, channels=1, config=NormalizationConfig())[0]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([5, 900, 70000, 0], [1, 2, 3, 0]),
        ([-1, 0, 7, -1], [-1, 0, 1, -1]),
        ([2**24 + 1, 2**24, 0, 2**40], [2, 1, 0, 3]),
        ([0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_ids_become_compact(labels: list[int], expected: list[int]) -> None:
    found = compact(np.array([labels]), name="a")
    np.testing.assert_array_equal(found, [expected])
    assert found.dtype == np.int32


def test_unsigned_64_bit_ids_do_not_wrap() -> None:
    np.testing.assert_array_equal(compact(np.array([[2**63 + 1, 0]], np.uint64), name="a"), [[1, 0]])


def test_negative_ids_are_refused() -> None:
    with pytest.raises(InputError, match=r"a\.tif: label -7 is negative"):
        compact(np.array([[-7, 1]]), name="a.tif")


def test_fractional_labels_are_refused() -> None:
    with pytest.raises(InputError, match="whole numbers"):
        compact(np.array([[0.5, 1]]), name="a.tif")


def test_a_pair_of_different_shapes_is_refused_never_cropped() -> None:
    with pytest.raises(InputError, match=r"a: image \(8, 8\) and labels \(8, 9\) differ"):
        prepared(Sample(np.zeros((1, 8, 8)), np.ones((8, 9), int), "a"))


def test_a_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(InputError, match="reads 1 channel"):
        prepared(Sample(np.zeros((3, 8, 8)), np.ones((8, 8), int), "a"))


def test_labels_without_any_object_are_refused() -> None:
    with pytest.raises(InputError, match="every label map is empty"):
        prepared(Sample(np.zeros((1, 8, 8)), np.zeros((8, 8), int), "a"))


def test_no_sample_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        prepare([], ndim=2, channels=1, config=NormalizationConfig())


def test_a_stretch_that_is_given_is_kept() -> None:
    stretch = Stretch((1.0,), (9.0,))
    assert prepared(Sample(np.zeros((1, 8, 8)), np.ones((8, 8), int), "a", stretch)).stretch == stretch


def test_whole_images_are_held_back(samples: list[Sample]) -> None:
    training, held, how = split(samples, fraction=0.25, seed=0)
    assert len(training) == 3
    assert len(held) == 1
    assert {sample.name for sample in training} | {sample.name for sample in held} == {
        sample.name for sample in samples
    }
    assert "1 of 4" in how


def test_the_only_image_is_cut_in_two(samples: list[Sample]) -> None:
    wide = Sample(
        np.concatenate([sample.image for sample in samples], axis=2),
        np.concatenate([s.labels for s in samples], axis=1),
        "wide",
    )
    training, held, how = split([wide], fraction=0.25, seed=0)
    assert training[0].labels.shape == (64, 192)
    assert held[0].labels.shape == (64, 64)
    np.testing.assert_array_equal(np.concatenate([training[0].image, held[0].image], axis=2), wide.image)
    assert "only image" in how


def test_an_only_image_too_small_to_cut_means_no_validation(samples: list[Sample]) -> None:
    training, held, how = split(samples[:1], fraction=0.1, seed=0)
    assert (len(training), len(held)) == (1, 0)
    assert "no validation" in how


def test_the_fingerprint_follows_every_pixel(samples: list[Sample]) -> None:
    changed = samples[0].labels.copy()
    changed[0, 0] += 1
    assert fingerprint(samples) == fingerprint(list(samples))
    assert fingerprint(samples) != fingerprint([Sample(samples[0].image, changed, "x"), *samples[1:]])
