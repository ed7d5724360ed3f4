"""Folded networks give the outputs of the unfolded."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.registry import Network, build
from napari_unetseg.schema.config import NetworkConfig


def trained(**settings: object) -> Network:
    """A tiny network whose BatchNorm statistics and weights are not those of a fresh one."""
    torch.manual_seed(0)
    network = build(NetworkConfig.model_validate({"width": 3, "depth": 2, "out_channels": 4, **settings}))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.double()  # rounding out of the way


@pytest.mark.parametrize("ndim", [2, 3])
def test_same_outputs_and_no_norm_left(ndim: int) -> None:
    network = trained(ndim=ndim).eval()
    folded = fold_batch_norm(network)
    x = torch.randn(2, 1, *(8, 16, 16)[3 - ndim :], dtype=torch.float64)
    with torch.inference_mode():
        assert torch.allclose(network(x), folded(x), atol=1e-10)
    assert not any(isinstance(module, nn.BatchNorm2d | nn.BatchNorm3d) for module in folded.modules())


def test_same_outputs_in_single_precision() -> None:
    network = trained().eval().float()
    x = torch.randn(2, 1, 16, 16)
    with torch.inference_mode():
        expected = network(x)
        assert (fold_batch_norm(network)(x) - expected).abs().max() < 1e-5 * expected.abs().max()


def test_original_is_left_alone() -> None:
    network = trained().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold_batch_norm(network)
    assert not folded.training
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert (folded.divisor, folded.halo) == (network.divisor, network.halo)


def test_cropped_pass_of_a_folded_network() -> None:
    network = trained().eval()
    x, halos = torch.randn(1, 1, 64, 64, dtype=torch.float64), [(24, 24), (0, 24)]
    with torch.inference_mode():
        expected = network.forward_cropped(x, halos)
        assert torch.allclose(fold_batch_norm(network).forward_cropped(x, halos), expected, atol=1e-10)


def test_nothing_to_fold_without_norm() -> None:
    network = trained(norm="none").eval()
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64)
    assert torch.equal(network(x), fold_batch_norm(network)(x))
