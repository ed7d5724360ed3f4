"""Class weights by hand: inverse frequency, median frequency, and that of ENet."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_unetseg.labels.class_weights import balanced, class_weights, enet, median_frequency
from napari_unetseg.schema.config import ClassWeights, WeightConfig


@pytest.mark.parametrize("counts", [[70, 20, 10], [10_000, 10, 1], [10**9, 1, 1], [5, 5]])
def test_class_weights_have_mean_one_and_stay_in_bounds(counts):
    weights = class_weights(np.array(counts))
    assert weights.dtype == np.float32
    assert np.average(weights, weights=counts) == pytest.approx(1, rel=1e-5)
    assert weights.min() >= np.float32(0.1)
    assert weights.max() <= 10
    assert (np.diff(weights) >= 0).all()  # the rarer the heavier


def test_class_weights_are_inverse_frequencies():
    np.testing.assert_allclose(class_weights(np.array([50, 25, 25])), [2 / 3, 4 / 3, 4 / 3], rtol=1e-5)
    np.testing.assert_array_equal(class_weights(np.array([7, 0])), [1, 1])
    np.testing.assert_array_equal(class_weights(np.array([0, 0, 0])), [1, 1, 1])


def test_median_frequency_counts_only_images_that_have_the_class():
    """Class 2 has 10 of 100 pixels, those of the second image; of 200 it would be half as frequent."""
    counts = np.array([[60, 40, 0], [40, 50, 10]])
    frequency = [100 / 200, 90 / 200, 10 / 100]
    np.testing.assert_allclose(median_frequency(counts), [0.45 / one for one in frequency])


def test_a_class_of_no_image_weighs_one_and_is_not_in_the_median():
    np.testing.assert_allclose(median_frequency(np.array([[30, 10, 0]])), [0.5 / 0.75, 0.5 / 0.25, 1])
    np.testing.assert_array_equal(median_frequency(np.zeros((2, 3), int)), [1, 1, 1])


def test_enet_by_hand_and_its_bounds():
    np.testing.assert_allclose(enet(np.array([3, 1])), [1 / math.log(1.77), 1 / math.log(1.27)])
    np.testing.assert_allclose(enet(np.array([1, 0])), [1 / math.log(2.02), 1 / math.log(1.02)])


@pytest.mark.parametrize("classes", ["power", "median_frequency", "enet"])
def test_they_are_one_in_the_mean_over_pixels(classes: ClassWeights):
    counts = np.array([[60, 40, 0], [40, 50, 10]])
    weights = balanced(counts, config=WeightConfig(classes=classes, balance=0.5))
    assert weights.dtype == np.float32
    assert np.average(weights, weights=counts.sum(axis=0)) == pytest.approx(1, rel=1e-6)
    assert weights[2] > weights[1] > weights[0]


def test_published_ratios_stay():
    counts = np.array([[60, 40, 0], [40, 50, 10]])
    for classes, published in (("median_frequency", median_frequency(counts)), ("enet", enet(counts.sum(axis=0)))):
        weights = balanced(counts, config=WeightConfig(classes=classes))
        np.testing.assert_allclose(weights / weights[0], published / published[0], rtol=1e-6)
