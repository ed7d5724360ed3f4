"""Toy models that several test folders share, and one thread for all of torch: toys are slower with more."""

from __future__ import annotations

import os

import numpy as np
import pytest

from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded, here and in processes that tests start


@pytest.fixture
def card() -> ModelCard:
    """The card of the smallest U-Net: one channel in, three classes and the distance out."""
    return ModelCard(name="toy", network=NetworkConfig(width=2, depth=1), licence="BSD-3-Clause")


@pytest.fixture
def weights() -> dict[str, np.ndarray]:
    """Weights of no network in particular: a matrix, a vector and a scalar, all different."""
    rng = np.random.default_rng(0)
    return {
        "first.weight": rng.normal(size=(2, 1, 3, 3)).astype(np.float32),
        "first.bias": rng.normal(size=2).astype(np.float32),
        "scale": np.float32(0.5).reshape(()),
    }
