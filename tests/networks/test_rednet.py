"""RedNet: published parameter counts, the second encoder, and the heads of training."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.rednet import RedNet
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


@pytest.mark.parametrize(
    ("channels", "classes", "count"),
    [
        (3, 37, 58_468_473),
        (2, 37, 81_970_233 - 2 * 3_136),  # the first image has one channel, not three
        (1, 2, 58_468_473 - 2 * 3_136 - 35 * 773),
        (4, 37, 58_468_473 + 3_136),
    ],
)
def test_published_parameters(channels: int, classes: int, count: int) -> None:
    assert parameters(architecture="rednet", width=64, in_channels=channels, out_channels=classes) == count


@pytest.mark.parametrize("channels", [1, 2])
def test_promises(channels: int) -> None:
    network = lively(architecture="rednet", in_channels=channels)
    heads = check_promises(network, rough=True)
    assert [one.shape[1] for one in heads.deep] == [3] * 4


def test_early_heads_see_maps_of_growing_size() -> None:
    network = lively(architecture="rednet")
    assert isinstance(network, RedNet)
    assert [stage.shape[-1] for stage in network._decode(torch.zeros(1, 1, 64, 64))] == [4, 8, 16, 32, 64]


def test_the_second_of_two_channels_has_its_own_encoder() -> None:
    """Each channel matters, and an empty second channel is not the same as none: its BatchNorms add something."""
    network = lively(architecture="rednet", in_channels=2)
    assert isinstance(network, RedNet)
    x = torch.randn(1, 2, 32, 32)
    empty = x * torch.tensor([1.0, 0.0])[:, None, None]
    with torch.inference_mode():
        full, without = network(x), network(empty)
        network.second.stem[1].bias.add_(1.0)
        assert not torch.allclose(full, without)
        assert not torch.allclose(network(empty), without)
    assert lively(architecture="rednet").second is None
    assert lively(architecture="rednet", in_channels=3).second is None


def test_prediction_does_not_run_the_heads_of_training() -> None:
    network = lively(architecture="rednet")
    x = torch.randn(1, 1, 32, 32)
    with torch.inference_mode():
        expected = network(x)
        for parameter in network.early.parameters():
            parameter.fill_(torch.nan)
        assert torch.equal(network(x), expected)


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    assert overfit(build(NetworkConfig(architecture="rednet", width=4, out_channels=2)), steps=80) > 0.95
