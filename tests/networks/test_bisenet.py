"""BiSeNet: published parameter counts, both paths, and the heads of training."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.bisenet import BiSeNet
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


@pytest.mark.parametrize(
    ("channels", "classes", "count"),
    [(3, 19, 13_425_721), (1, 2, 13_270_656 - 2 * 3_136 - 2 * 3_136 + 2 * 257 + 147_712 + 2 * 2 * 65)],
)
def test_published_parameters(channels: int, classes: int, count: int) -> None:
    assert parameters(architecture="bisenet", width=64, in_channels=channels, out_channels=classes) == count


def test_parameters_that_prediction_uses() -> None:
    with torch.device("meta"):
        network = build(NetworkConfig(architecture="bisenet", width=64, in_channels=3, out_channels=19))
    assert isinstance(network, BiSeNet)
    network.early = torch.nn.ModuleList()
    assert sum(parameter.numel() for parameter in network.parameters()) == 13_275_539
    assert network.detail(torch.zeros(1, 3, 96, 64, device="meta")).shape == (1, 128, 12, 8)


def test_promises() -> None:
    network = lively(architecture="bisenet")
    heads = check_promises(network, rough=True)
    assert (len(heads.deep), len(heads.border)) == (2, 0)


def test_prediction_does_not_run_the_heads_of_training() -> None:
    network = lively(architecture="bisenet")
    x = torch.randn(1, 1, 64, 32)
    with torch.inference_mode():
        expected = network(x)
        for parameter in network.early.parameters():
            parameter.fill_(torch.nan)
        assert torch.equal(network(x), expected)


def test_one_patch_cannot_be_normalised() -> None:
    network = lively(architecture="bisenet")
    assert network.least_batch == 2
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network.train()(torch.zeros(1, 1, 64, 64))


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    assert overfit(build(NetworkConfig(architecture="bisenet", width=4, out_channels=2)), steps=70) > 0.95
