"""FCN: parameter counts, scores that start as 0, bilinear enlarging, sizes and exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_reach, check_tiles
from torch import nn
from torch.nn.functional import interpolate

from napari_unetseg.networks.fcn import start_as_interpolation
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

STRIDES = {"fcn32s": 32, "fcn16s": 16, "fcn8s": 8, "fcn_resnet18": 32}


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "count"),
    [
        ("fcn32s", 3, 21, 136_152_917),
        ("fcn32s", 1, 2, 134_258_816 + 576 + 2 * 4_097 + 4 * 4_096),
        ("fcn16s", 3, 21, 134_815_994),
        ("fcn16s", 1, 2, 134_258_816 + 576 + 2 * 4_610 + 4 * 1_040),
        ("fcn8s", 3, 21, 134_489_759),
        ("fcn8s", 1, 2, 134_258_816 + 576 + 2 * 4_867 + 4 * 288),
        ("fcn_resnet18", 3, 21, 12_993_642),
        ("fcn_resnet18", 1, 2, 11_167_104 + 3_136 + 2 * 514 + 4 * 4_096),
    ],
)
def test_parameter_counts(name: str, inputs: int, outputs: int, count: int) -> None:
    assert parameters(name, width=64, in_channels=inputs, out_channels=outputs) == count


@pytest.mark.parametrize(("name", "halo"), [("fcn32s", 224), ("fcn16s", 224), ("fcn8s", 224), ("fcn_resnet18", 256)])
def test_divisor_and_halo(name: str, halo: int) -> None:
    network = lively(name)
    assert network.divisor == (32, 32)
    assert network.halo == (halo, halo)
    assert network.output_stride == STRIDES[name]


@pytest.mark.parametrize("name", STRIDES)
def test_promises(name: str) -> None:
    check_promises(lively(name, in_channels=2))


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
def test_any_size(name: str) -> None:
    network = lively(name, width=1)
    for shape in ((1, 32), (65, 97)):
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 3, *shape)


def test_sizes_of_the_residual_network() -> None:
    network = lively("fcn_resnet18", in_channels=3)
    assert network(torch.zeros(1, 3, 32, 96)).shape == (1, 3, 32, 96)
    with pytest.raises(InputError, match=r"multiple of \(32, 32\), got \(65, 97\); pad it to \(96, 128\)"):
        network(torch.zeros(1, 3, 65, 97))


@pytest.mark.parametrize("name", STRIDES)
def test_tiled_equals_untiled(name: str) -> None:
    check_tiles(lively(name), tile=(64, 32))


@pytest.mark.parametrize("name", STRIDES)
def test_halo_covers_what_the_output_depends_on(name: str) -> None:
    check_reach(lively(name, width=1), across=32)


@pytest.mark.parametrize("name", STRIDES)
def test_untrained_logits_are_zero(name: str) -> None:
    network = build(NetworkConfig(architecture=name, width=1)).eval()
    assert not network(torch.randn(1, 1, 32, 32)).any()


@pytest.mark.parametrize("factor", [2, 8])
def test_enlarging_starts_as_bilinear_interpolation(factor: int) -> None:
    layer = nn.ConvTranspose2d(2, 2, 2 * factor, stride=factor, padding=factor // 2)
    start_as_interpolation([], [layer])
    x = torch.randn(1, 2, 5, 6)
    expected = interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    inside = (..., slice(factor, -factor), slice(factor, -factor))
    torch.testing.assert_close(layer(x)[inside], expected[inside])


@pytest.mark.parametrize(("name", "channels"), [("fcn32s", [128]), ("fcn16s", [128, 16]), ("fcn8s", [128, 16, 8])])
def test_finer_scores_take_part(name: str, channels: list[int]) -> None:
    """The gradients of all scores are known to be there; without those of a finer map the logits differ."""
    network, x = lively(name), torch.randn(1, 1, 32, 32)
    assert [layer.in_channels for layer in network.score] == channels
    before = network(x)
    for layer in network.score:
        kept = layer.weight.data
        layer.weight.data = torch.zeros_like(kept)
        assert (network(x) - before).abs().max() > 1e-3
        layer.weight.data = kept


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s"])
def test_each_score_lies_amid_what_it_was_made_of(name: str) -> None:
    """With equal weights and means for maxima, the pixels around row 492.5 = 32 * 15 + 12.5 depend on it alike."""
    network = lively(name, width=1, out_channels=1).double()
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            nn.init.zeros_(layer.bias)
    start_as_interpolation([], network.up)
    network.pool = nn.AvgPool2d(2, ceil_mode=True)
    x = torch.ones(1, 1, 992, 32, dtype=torch.float64, requires_grad=True)
    network(x)[:, :, 492:494].sum().backward()
    rows = x.grad.sum(dim=(0, 1, 3))[:986]
    assert rows.any()
    torch.testing.assert_close(rows, rows.flip(0))


@pytest.mark.parametrize(
    ("name", "width", "rate", "least"), [("fcn8s", 2, 1e-2, 0.95), ("fcn_resnet18", 4, 3e-2, 0.85)]
)
def test_overfits_one_image(name: str, width: int, rate: float, least: float) -> None:
    """FCN-8s has all layers of the coarser two. Two scores along an edge cannot outline a disc, hence 0.85."""
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture=name, width=width, out_channels=2))
    assert overfit(network, steps=60, rate=rate) > least
