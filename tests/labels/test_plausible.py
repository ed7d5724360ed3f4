"""Images are refused in the place of labels; label maps never are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.plausible import check_plausible
from napari_unetseg.schema.errors import InputError


def tiled(edge: int, *, size: int = 60) -> np.ndarray:
    """Squares of this edge that fill the image, each with a number of its own."""
    y, x = np.mgrid[:size, :size] // edge
    return y * (-(-size // edge)) + x + 1


@pytest.mark.parametrize("shape", [(64, 64), (3, 32, 32)])
def test_noise_is_an_image(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).poisson(40, shape).astype(np.uint32)
    with pytest.raises(InputError, match=r"^a\.tif: looks like an image, not like labels: it holds \d+ values, and 9"):
        check_plausible(noise, name="a.tif")


@pytest.mark.parametrize(
    "labels",
    [
        tiled(6),
        tiled(20),
        np.zeros((64, 64), np.uint32),
        np.where(np.indices((64, 64)).sum(axis=0) % 2, np.arange(64 * 64).reshape(64, 64), 0),  # specks of one pixel
        np.indices((64, 64)).sum(axis=0) % 2 + 1,  # two classes
        np.arange(64).reshape(8, 8),  # too small to tell
        np.full((64, 64), -1),
    ],
    ids=["small cells", "large cells", "empty", "specks", "classes", "tiny", "ignored"],
)
def test_label_maps_pass(labels: np.ndarray) -> None:
    check_plausible(labels, name="a.tif")
