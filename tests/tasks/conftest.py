"""Toy images with a bright square or two, and a network small enough to learn them in seconds."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, Recipe
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.tasks.samples import Sample


def draw_sample(seed: int, *, size: int = 64) -> Sample:
    """Four bright discs of 7 to 9 px radius on a noisy dark ground, one in each quarter.

    +-------+
    | o   O |
    |  O  o |
    +-------+
    """
    rng = np.random.default_rng(seed)
    labels = np.zeros((size, size), np.uint16)
    y, x = np.mgrid[:size, :size]
    for index in range(4):
        centre = np.array(divmod(index, 2)) * size // 2 + size // 4 + rng.integers(-3, 4, 2)
        labels[(y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= rng.integers(7, 10) ** 2] = index + 1
    image = 300 + 900 * (labels > 0) + rng.normal(0, 40, labels.shape)
    return Sample(image.astype(np.uint16)[None], labels, f"discs {seed}")


@pytest.fixture
def samples() -> list[Sample]:
    return [draw_sample(seed) for seed in range(4)]


@pytest.fixture
def recipe() -> Recipe:
    return Recipe(
        network=NetworkConfig(width=6, depth=2),
        augmentation=AugmentationConfig(elastic=2.0),
        decoding=DecodingConfig(min_size=5),
        batch=2,
        patch=(48, 48),
        steps=6,
        validation=0.25,
        validate_every=0.5,
        ema=0.9,
        precision="float32",
    )
