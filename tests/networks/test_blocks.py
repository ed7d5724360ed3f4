"""Blocks: layers, initial weights and cropping."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from napari_unetseg.networks.blocks import (
    begin_even,
    crop,
    double_convolution,
    initialise,
    pooling,
    up_convolution,
)
from napari_unetseg.schema.config import NetworkConfig


def kinds(block: nn.Sequential) -> list[str]:
    return [type(layer).__name__ for layer in block]


def test_batch_norm_takes_the_place_of_the_bias() -> None:
    block = double_convolution(1, 4, config=NetworkConfig())
    assert kinds(block) == ["Conv2d", "BatchNorm2d", "ReLU"] * 2
    assert block[0].bias is None


def test_without_norm_there_is_a_bias_and_dropout_comes_last() -> None:
    block = double_convolution(1, 4, config=NetworkConfig(ndim=3, norm="none"), dropout=0.5)
    assert kinds(block) == ["Conv3d", "ReLU", "Conv3d", "ReLU", "Dropout"]
    assert block[0].bias is not None


def test_he_initialisation() -> None:
    torch.manual_seed(0)
    block = double_convolution(64, 64, config=NetworkConfig(norm="none"))
    up = up_convolution(64, 64, stride=(2, 2))
    for module in (block, up):
        initialise(module)
    assert block[0].weight.std().item() == pytest.approx(0.0589, rel=0.02)
    assert block[0].bias.abs().max() == 0
    assert up.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.02)


def test_only_the_last_convolution_begins_small() -> None:
    torch.manual_seed(0)
    block = double_convolution(64, 64, config=NetworkConfig(norm="none"))
    initialise(block)
    first = block[0].weight.clone()
    begin_even(block)
    assert torch.equal(block[0].weight, first)
    assert block[2].weight.std().item() == pytest.approx(0.01, rel=0.02)


def test_up_convolution_undoes_the_shape_of_pooling() -> None:
    x = torch.zeros(1, 4, 3, 6, 8)
    stride = (1, 2, 2)
    assert up_convolution(4, 4, stride=stride)(pooling(stride)(x)).shape == x.shape


def test_crop_each_side() -> None:
    x = torch.arange(20.0).view(1, 1, 4, 5)
    assert crop(x, [(1, 2), (0, 3)]).tolist() == [[[[5.0, 6.0]]]]
    assert crop(x, [(0, 0), (0, 0)]).shape == x.shape
