"""Encoders: published parameter counts, and the strides of their maps."""

from __future__ import annotations

import pytest
import torch

from napari_unetseg.networks.encoders import ResNet, ResNetName, vgg16_stages


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(("norm", "parameters"), [(False, 14_714_688), (True, 14_723_136)])
def test_parameters_of_vgg16(norm: bool, parameters: int) -> None:
    with torch.device("meta"):
        assert count(vgg16_stages(3, width=64, norm=norm)) == parameters


@pytest.mark.parametrize(
    ("name", "inputs", "parameters"),
    [
        ("resnet18", 3, 11_176_512),
        ("resnet50", 3, 23_508_032),
        ("resnet101", 3, 42_500_160),
        ("resnet152", 3, 58_143_808),
        ("resnet18", 1, 11_176_512 - 2 * 3136),
    ],
)
def test_parameters_of_the_resnets(name: ResNetName, inputs: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(ResNet(inputs, name=name, width=64)) == parameters


def test_a_deep_stem() -> None:
    with torch.device("meta"):
        assert count(ResNet(3, name="resnet101", width=64, deep_stem=True)) == 42_623_936


@pytest.mark.parametrize(
    ("dilations", "first_stride", "edges"),
    [
        ((1, 1, 1, 1), 1, [24, 12, 6, 3]),
        ((1, 1, 1, 2), 1, [24, 12, 6, 6]),
        ((1, 1, 2, 4), 1, [24, 12, 12, 12]),
        ((1, 1, 1, 1), 2, [12, 6, 3, 2]),
    ],
)
def test_strides(dilations: tuple[int, ...], first_stride: int, edges: list[int]) -> None:
    network = ResNet(1, name="resnet18", width=2, dilations=dilations, first_stride=first_stride)
    maps = network(torch.zeros(2, 1, 96, 96))
    assert [one.shape[-1] for one in maps] == edges
    assert tuple(one.shape[1] for one in maps) == network.widths
