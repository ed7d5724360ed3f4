"""GCN: published parameter counts, what a large kernel sees and costs, and how training begins."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.gcn import LargeKernel
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

SMALL = {"encoder": "resnet18", "kernel": 7}


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 60_688_084),
        ({"kernel": 7}, 59_369_620),
        ({"encoder": "resnet50", "kernel": 7}, 24_733_844),
        ({"encoder": "resnet18", "kernel": 7}, 11_555_604),
    ],
)
def test_published_parameters(settings: dict[str, object], count: int) -> None:
    assert parameters(architecture="gcn", width=64, in_channels=3, out_channels=21, settings=settings) == count


def test_parameters_for_one_channel_and_two_classes() -> None:
    encoder, head = 11_176_512 - 2 * 3_136, 2 * 7 * (2 * 960 + 4 * 4) + 162 * 4 + 34 * 2
    assert parameters(architecture="gcn", width=64, in_channels=1, out_channels=2, settings=SMALL) == encoder + head


def test_a_large_kernel_sees_a_square_for_the_price_of_four_lines() -> None:
    module = LargeKernel(1, 1, kernel=7)
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter) if parameter.ndim > 1 else torch.nn.init.zeros_(parameter)
    impulse = torch.zeros(1, 1, 15, 15)
    impulse[..., 7, 7] = 1
    with torch.inference_mode():
        seen = module(impulse)[0, 0]
    assert seen[4:11, 4:11].eq(2).all()
    assert seen.sum() == 2 * 7 * 7
    with torch.device("meta"):
        whole = LargeKernel(2048, 21, kernel=15)
        dense = torch.nn.Conv2d(2048, 21, 15)
    assert sum(parameter.numel() for parameter in whole.parameters()) == 1_303_554
    assert sum(parameter.numel() for parameter in dense.parameters()) == 9_676_821


def test_promises() -> None:
    network = lively(architecture="gcn", settings=SMALL)
    check_promises(network)


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(InputError, match=r"network 'gcn', setting 'kernel': .* must be odd, .* got 14; use 15"):
        build(NetworkConfig(architecture="gcn", settings={"kernel": 14}))


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    assert overfit(build(NetworkConfig(architecture="gcn", width=4, out_channels=2, settings=SMALL)), steps=40) > 0.95
