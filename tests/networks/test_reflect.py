"""A map with a mirrored rim is what torch pads, and is still one where torch refuses."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_unetseg.networks.blocks import convolution
from napari_unetseg.networks.reflect import with_rim
from napari_unetseg.networks.unet_settings import PLAIN
from napari_unetseg.schema.config import NetworkConfig

REFLECT = PLAIN.replace(padding_mode="reflect")


def test_the_pixel_beside_the_rim_comes_again() -> None:
    x = torch.arange(12.0).view(1, 1, 3, 4)
    assert with_rim(x)[0, 0].tolist() == [
        [5, 4, 5, 6, 7, 6],
        [1, 0, 1, 2, 3, 2],
        [5, 4, 5, 6, 7, 6],
        [9, 8, 9, 10, 11, 10],
        [5, 4, 5, 6, 7, 6],
    ]


def test_a_single_pixel_is_repeated_and_other_axes_are_mirrored() -> None:
    x = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
    assert with_rim(x)[0, 0].tolist() == [[2, 1, 2, 3, 2]] * 3
    assert torch.equal(with_rim(torch.ones(2, 3, 1, 1, 1)), torch.ones(2, 3, 3, 3, 3))


@pytest.mark.parametrize("ndim", [2, 3])
def test_it_is_the_convolution_of_torch_with_the_same_names(ndim: int) -> None:
    own = convolution(4, 6, config=NetworkConfig(ndim=ndim, norm="none"), settings=REFLECT.replace(groups=2))
    kind = nn.Conv2d if ndim == 2 else nn.Conv3d
    theirs = kind(4, 6, 3, padding=1, padding_mode="reflect", groups=2)
    theirs.load_state_dict(own.state_dict())
    x = torch.randn(2, 4, *(4, 5, 6)[-ndim:])
    assert torch.equal(own(x), theirs(x))
