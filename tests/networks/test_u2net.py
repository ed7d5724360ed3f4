"""U2-Net and its light version: parameter counts, side outputs, any size, the residual stages."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.registry import build
from napari_unetseg.networks.u2net import ResidualU, U2Net
from napari_unetseg.schema.config import NetworkConfig

NAMES = ["u2net", "u2net_lite"]


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "count"),
    [
        ("u2net", 3, 1, 44_009_869),
        ("u2net", 1, 2, 43_994_304 + 576 + 13_831 * 2 + 6 * 4),
        ("u2net_lite", 3, 1, 1_131_181),
        ("u2net_lite", 1, 2, 1_125_984 + 576 + 3_463 * 2 + 6 * 4),
    ],
)
def test_parameter_counts(name: str, inputs: int, outputs: int, count: int) -> None:
    assert parameters(name, in_channels=inputs, out_channels=outputs, width=64) == count


@pytest.mark.parametrize("name", NAMES)
def test_gradients_and_prediction(name: str) -> None:
    network = lively(name, width=4)
    check_promises(network, edges=(40, 33))


@pytest.mark.parametrize("shape", [(1, 1), (33, 33), (64, 96), (2, 71)])
def test_any_size_and_seven_outputs_of_it(shape: tuple[int, int]) -> None:
    with torch.inference_mode():
        heads = lively("u2net_lite").forward_heads(torch.randn(1, 1, *shape))
    assert heads.logits.shape == (1, 3, *shape)
    assert [side.shape for side in heads.deep] == [(1, 3, *shape)] * 6


def test_the_fused_output_weighs_the_sides() -> None:
    network, x = lively("u2net_lite"), torch.randn(1, 1, 32, 40)
    assert isinstance(network, U2Net)
    with torch.inference_mode():
        network.fuse.weight.zero_()
        for output in range(3):
            network.fuse.weight[output, output] = 1.0  # the finest comes first
        heads = network.forward_heads(x)
    assert torch.allclose(heads.logits, heads.deep[0], atol=1e-6)


@pytest.mark.parametrize(("depth", "is_flat"), [(7, False), (5, False), (4, True)])
def test_a_stage_keeps_the_size_and_adds_what_comes_in(depth: int, is_flat: bool) -> None:
    torch.manual_seed(0)
    stage, x = ResidualU(2, 3, 4, depth=depth, is_flat=is_flat).eval(), torch.randn(1, 2, 33, 18)
    with torch.inference_mode():
        assert stage(x).shape == (1, 4, 33, 18)
        assert not torch.equal(stage(x), stage.first(x))
        for parameter in stage.up[0].parameters():
            parameter.zero_()
        assert torch.equal(stage(x), stage.first(x))


@pytest.mark.parametrize(("depth", "is_flat", "reach"), [(4, True, 1 + 1 + 2 + 4 + 8 + 4 + 2 + 1)])
def test_a_flat_stage_dilates_instead_of_pooling(depth: int, is_flat: bool, reach: int) -> None:
    stage = ResidualU(1, 1, 1, depth=depth, is_flat=is_flat).eval()
    for parameter in stage.parameters():
        parameter.data.abs_().clamp_(min=0.01)
    x = torch.ones(1, 1, 61, 61, requires_grad=True)
    stage(x)[0, 0, 30, 30].backward()
    assert x.grad is not None
    rows = x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert (int(rows.min()), int(rows.max())) == (30 - reach, 30 + reach)


def test_it_takes_the_whole_image() -> None:
    assert not lively("u2net").is_tile_exact
    assert lively("u2net").divisor == lively("u2net").halo == (1, 1)


@pytest.mark.parametrize("name", NAMES)
def test_overfits_one_image(name: str) -> None:
    assert overfit(build(NetworkConfig(architecture=name, width=8, out_channels=2))) > 0.95
