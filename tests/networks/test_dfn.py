"""DFN: published parameter counts, the outputs of training, and what prediction does without."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.dfn import DFN, Attend
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig

SMALL = {"encoder": "resnet18"}


@pytest.mark.parametrize(
    ("channels", "classes", "count"),
    [(3, 21, 90_724_344), (3, 2, 87_808_376), (1, 2, 87_808_376 - 2 * 9 * 64)],
)
def test_published_parameters(channels: int, classes: int, count: int) -> None:
    assert parameters(architecture="dfn", width=64, in_channels=channels, out_channels=classes) == count


def test_parameters_that_prediction_uses() -> None:
    with torch.device("meta"):
        network = build(NetworkConfig(architecture="dfn", width=64, in_channels=3, out_channels=21))
    assert isinstance(network, DFN)
    unused = [network.border, *network.smooth.heads[1:]]
    training_only = sum(parameter.numel() for module in unused for parameter in module.parameters())
    assert 90_724_344 - training_only == 88_339_058


def test_promises() -> None:
    network = lively(architecture="dfn", settings=SMALL)
    heads = check_promises(network)
    assert [one.shape[1] for one in heads.deep] == [3] * 3
    assert [one.shape[1] for one in heads.border] == [1] * 4


def test_prediction_does_without_the_border_network_and_the_other_heads() -> None:
    network = lively(architecture="dfn", settings=SMALL)
    assert isinstance(network, DFN)
    x = torch.randn(1, 1, 32, 64)
    with torch.inference_mode():
        expected = network(x)
        for module in (network.border, *network.smooth.heads[1:]):
            for parameter in module.parameters():
                parameter.fill_(torch.nan)
        assert torch.equal(network(x), expected)


def test_attention_takes_a_share_of_each_channel_of_the_finer_map() -> None:
    """Nothing of it comes from above but the factors: a gate of 0 leaves the coarser map, of 1 adds the finer one."""
    attend = Attend(2)
    below, above = torch.rand(1, 2, 4, 4), torch.rand(1, 2, 4, 4)
    shares = (attend(below, above) - above) / below
    assert torch.allclose(shares, shares[..., :1, :1].expand_as(shares), atol=1e-5)
    assert ((shares > 0) & (shares < 1)).all()


def test_one_patch_cannot_be_normalised() -> None:
    network = lively(architecture="dfn", settings=SMALL)
    assert network.least_batch == 2
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network.train()(torch.zeros(1, 1, 64, 64))


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    assert overfit(build(NetworkConfig(architecture="dfn", width=4, out_channels=2, settings=SMALL)), steps=60) > 0.95
