"""Unpooling undoes pooling: values return to where the maxima were."""

from __future__ import annotations

import torch
from torch import nn

from napari_unetseg.networks.unpooling import mirrored_stages, pool, unpool


def test_by_hand() -> None:
    x = torch.tensor([[1.0, 5.0, 0.0, 0.0], [2.0, 3.0, 4.0, 0.0]])[None, None]
    maxima, switches = pool(x)
    assert maxima.flatten().tolist() == [5, 4]
    raised = unpool(torch.tensor([7.0, -8.0]).reshape(1, 1, 1, 2), switches)
    assert raised[0, 0].tolist() == [[0, 7, 0, 0], [0, 0, -8, 0]]


def test_values_stand_where_the_maxima_were() -> None:
    """Also where the last row and column have no partner."""
    x = torch.rand(2, 3, 7, 9) + 1
    maxima, switches = pool(x)
    raised = unpool(maxima, switches)
    assert raised.shape == x.shape
    assert torch.equal(raised, torch.where(raised > 0, x, 0.0))
    assert torch.equal(pool(raised)[0], maxima)


def test_the_stages_mirror_those_of_vgg16() -> None:
    stages = mirrored_stages(lambda inputs, outputs: nn.Conv2d(inputs, outputs, 1), width=64, ends=1)
    assert [[layer.out_channels for layer in stage] for stage in stages] == [
        [512, 512, 512],
        [512, 512, 256],
        [256, 256, 128],
        [128, 64],
        [64],
    ]
