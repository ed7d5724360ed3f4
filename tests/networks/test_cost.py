"""What a network costs, against counts by hand."""

from __future__ import annotations

import pytest

from napari_unetseg.networks.cost import macs_per_pixel, size_of
from napari_unetseg.networks.registry import names
from napari_unetseg.schema.config import NetworkConfig


def test_multiplications_of_a_small_unet_by_hand() -> None:
    """Width 4, depth 1: 3x3 kernels 1>4, 4>4 above; 4>8, 8>8 on a quarter of the pixels; up 8>4; 8>4, 4>4; head 4>4."""
    found = macs_per_pixel(NetworkConfig(width=4, depth=1))
    above, below, up = 9 * (1 * 4 + 4 * 4 + 8 * 4 + 4 * 4) + 4 * 4, 9 * (4 * 8 + 8 * 8), 8 * 4
    assert found == pytest.approx(above + below / 4 + up)


def test_parameters_are_those_of_the_network() -> None:
    assert size_of(NetworkConfig()).parameters == 1_942_340


@pytest.mark.parametrize("name", names())
def test_every_architecture_has_a_cost(name: str) -> None:
    config = NetworkConfig(architecture=name, width=4)
    assert macs_per_pixel(config) > 1
    size = size_of(config)
    assert size.parameters > 0
    assert size.bytes_per_pixel > 4
