"""The confidence of an object is its mean foreground probability."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.confidence import confidence


def test_it_is_the_mean_over_the_pixels_of_each_id():
    labels = np.array([[0, 1, 1], [3, 3, 0]], np.uint32)
    background = np.array([[0.9, 0.1, 0.3], [0.0, 0.5, 1.0]], np.float32)
    found = confidence(labels, np.stack([background, 1 - background]))
    np.testing.assert_allclose(found, [0, 0.8, 0, 0.75], atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 4), (0, 4)])
def test_without_objects_there_is_only_the_background(shape):
    assert confidence(np.zeros(shape, np.uint32), np.ones((2, *shape), np.float32)).tolist() == [0]
