"""The picture in a card shows the training objects, small and gray."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.tasks.samples import Sample, prepare
from napari_unetseg.tasks.thumbnail import EDGE, make_thumbnail


def _picture(image: np.ndarray, labels: np.ndarray) -> np.ndarray:
    channels = image[None] if image.ndim == labels.ndim else image
    (sample,) = prepare(
        [Sample(channels, labels, "x")], ndim=labels.ndim, channels=len(channels), config=NormalizationConfig()
    )
    text = make_thumbnail(sample)
    assert len(text) < 20_000  # what a card allows
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_it_shows_the_surroundings_of_an_object() -> None:
    image, labels = np.zeros((300, 400), np.uint16), np.zeros((300, 400), np.uint32)
    image[250:270, 350:370], labels[250:270, 350:370] = 1000, 1
    picture = _picture(image, labels)
    assert picture.shape == (EDGE, EDGE)
    assert (picture == 255).sum() == 400


@pytest.mark.parametrize("shape", [(5, 40, 50), (20, 200, 200)])
def test_a_volume_shows_its_fullest_plane(shape: tuple[int, ...]) -> None:
    image, labels = np.zeros(shape, np.uint16), np.zeros(shape, np.uint32)
    image[3, 10:20, 10:20], labels[3, 10:20, 10:20] = 900, 1
    picture = _picture(image, labels)
    assert picture.shape == tuple(min(EDGE, size) for size in shape[1:])
    assert (picture == 255).sum() == 100


def test_of_several_channels_it_shows_the_first() -> None:
    image, labels = np.zeros((2, 64, 64), np.float32), np.zeros((64, 64), np.uint32)
    image[0, :32] = 1
    labels[20:30, 20:30] = 1
    picture = _picture(image, labels)
    assert (picture[:32] == 255).all()
    assert (picture[32:] == 0).all()
