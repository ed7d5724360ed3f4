"""The settings of the U-Net: what each changes, exact tiles with each, and what goes with what."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_tiles, measured_radius
from torch import nn

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import convolution, double_convolution
from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.registry import build
from napari_unetseg.networks.unet import UNet
from napari_unetseg.networks.unet_settings import PLAIN
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

OPTIONS: list[dict[str, object]] = [
    {"attention": True},
    {"residual": True},
    {"groups": 2},
    {"skips": "sum"},
    {"upsampling": "bilinear"},
    {"activation": "leaky_relu"},
    {"activation": "prelu"},
    {"padding_mode": "reflect"},
]
ALL = {
    "attention": True,
    "residual": True,
    "groups": 2,
    "skips": "sum",
    "upsampling": "bilinear",
    "padding_mode": "reflect",
}


def unet(**fields: object) -> UNet:
    network = lively("unet", **{"width": 4, "depth": 2, **fields})
    assert isinstance(network, UNet)
    return network


def test_by_default_it_is_the_network_of_before() -> None:
    """Old model files hold these names."""
    blocks = {"encoder": 2, "decoder": 1}
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    names = {"up.0.weight", "up.0.bias", "head.weight", "head.bias"}
    for part, levels in blocks.items():
        for level in range(levels):
            names |= {f"{part}.{level}.{layer}.weight" for layer in (0, 3)}
            names |= {f"{part}.{level}.{layer}.{name}" for layer in (1, 4) for name in norm}
    assert set(unet(depth=1).state_dict()) == names
    assert unet(settings=PLAIN.model_dump()).state_dict().keys() == unet().state_dict().keys()


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        # width w, depth 1, 1 channel: blocks 1>w, w>2w, 2w>w; up 2w>w
        ({"attention": True}, 2 * 4 * 2 + 2 + 2 + 1),  # two 1-wide convolutions 4>2, one bias each but the skip's, 2>1
        ({"residual": True}, (4 + 8) + (32 + 16) + (32 + 8)),  # 1>4, 4>8, 8>4 with BatchNorm, no bias
        ({"groups": 2}, -9 * (16 + 32 + 64 + 32 + 16) // 2),  # of every convolution but the first
        ({"skips": "sum"}, -9 * 4 * 4),
        ({"upsampling": "bilinear"}, -3 * 8 * 4),
        ({"activation": "leaky_relu"}, 0),
        ({"activation": "prelu"}, 4 * 4 + 2 * 8),
        ({"padding_mode": "reflect"}, 0),
    ],
)
def test_parameters(settings: dict[str, object], more: int) -> None:
    plain = parameters("unet", width=4, depth=1)
    assert parameters("unet", width=4, depth=1, settings=settings) == plain + more


@pytest.mark.parametrize("settings", [*OPTIONS, ALL])
@pytest.mark.parametrize("ndim", [2, 3])
def test_tiled_equals_untiled(settings: dict[str, object], ndim: int) -> None:
    network = unet(ndim=ndim, settings=settings, **({"flat_levels": 1} if ndim == 3 else {}))
    shape, tile = ((100, 76), (32, 24)) if ndim == 2 else ((8, 16, 60), (8, 16, 16))
    check_tiles(network, shape=shape, tile=tile)


def test_interpolation_looks_further() -> None:
    assert unet(depth=4).halo == (96, 96)
    assert unet(depth=4, settings={"upsampling": "bilinear"}).halo == (112, 112)
    assert unet(depth=2, ndim=3, flat_levels=2, settings={"upsampling": "bilinear"}).halo[0] == 10
    for settings in OPTIONS:
        if "upsampling" not in settings:
            assert unet(settings=settings).halo == unet().halo


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_halo_covers_what_interpolation_makes_the_output_depend_on(depth: int) -> None:
    network = unet(width=1, depth=depth, norm="none", settings={"upsampling": "bilinear"})
    expected = reach.radius([2] * depth, reach.Looks(is_overlapping=True))
    assert expected - 2**depth < measured_radius(network, rows=208) <= expected


@pytest.mark.parametrize("settings", [*OPTIONS, ALL])
def test_gradients_and_prediction(settings: dict[str, object]) -> None:
    network = unet(settings=settings)
    check_promises(network, edges=(16, 24))


def test_three_dimensions_with_everything() -> None:
    network = unet(ndim=3, settings={**ALL, "activation": "prelu"})
    check_promises(network, edges=(4, 8, 8))


@pytest.mark.parametrize(
    "settings", [{"residual": True}, {"groups": 2}, {"attention": True}, {"padding_mode": "reflect"}]
)
def test_batch_norm_is_folded(settings: dict[str, object]) -> None:
    network, x = unet(settings=settings), torch.randn(1, 1, 16, 16)
    folded = fold_batch_norm(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        assert torch.allclose(folded(x), network(x), atol=1e-5)


def test_channels_are_shuffled_between_groups() -> None:
    x = torch.arange(12.0).view(1, 12, 1, 1)
    assert nn.ChannelShuffle(3)(x).flatten().tolist() == [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]
    assert torch.equal(nn.ChannelShuffle(4)(nn.ChannelShuffle(3)(x)), x)
    block = double_convolution(4, 4, config=NetworkConfig(norm="none"), settings=PLAIN.replace(groups=2))
    assert [type(layer).__name__ for layer in block] == ["Conv2d", "ReLU", "ChannelShuffle"] * 2
    for layer in (block[0], block[3]):
        nn.init.ones_(layer.weight)
    x = torch.ones(1, 4, 5, 5, requires_grad=True)
    block[0](x)[0, 0, 2, 2].backward()
    assert x.grad is not None
    assert x.grad.abs().sum(dim=(0, 2, 3)).tolist() == [9, 9, 0, 0]
    x.grad = None
    block(x)[0, 0, 2, 2].backward()
    assert (x.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


def test_channels_that_cannot_be_divided_are_not() -> None:
    settings = PLAIN.replace(groups=3)
    assert convolution(240, 240, config=NetworkConfig(), settings=settings).weight.numel() == 240 * 80 * 9
    assert convolution(1, 6, config=NetworkConfig(), settings=settings).groups == 1


def test_a_residual_block_adds_what_comes_in() -> None:
    block = double_convolution(4, 4, config=NetworkConfig(), settings=PLAIN.replace(residual=True)).eval()
    for parameter in block.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 4, 6, 6)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize("settings", [{"attention": True}, {"groups": 2}, {"skips": "sum"}, {"activation": "prelu"}])
def test_unpadded_with_what_works(settings: dict[str, object]) -> None:
    check_tiles(unet(padding="valid", settings=settings), shape=(60, 44), tile=(16, 24))


@pytest.mark.parametrize("settings", [{"residual": True}, {"upsampling": "bilinear"}, {"padding_mode": "reflect"}])
def test_unpadded_with_what_does_not(settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=rf"padding 'valid'.*leave out the setting '{next(iter(settings))}'"):
        unet(padding="valid", settings=settings)


def test_weights_do_not_tell_what_lies_beyond_the_image() -> None:
    mirrored, plain = unet(settings={"padding_mode": "reflect"}), unet()
    plain.load_state_dict(mirrored.state_dict())
    x = torch.randn(1, 1, 96, 96)
    with torch.inference_mode():
        assert not torch.allclose(mirrored(x)[..., :4], plain(x)[..., :4], atol=1e-4)
        middle = slice(40, 56)
        assert torch.equal(mirrored(x)[..., middle, middle], plain(x)[..., middle, middle])


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_single_pixel_at_the_bottom_is_its_own_mirror(ndim: int) -> None:
    """Of an image as small as the divisor; others of the same batch, and a larger image, are as they would be."""
    network = unet(ndim=ndim, settings={"padding_mode": "reflect"})
    check_promises(network, edges=(4, 4, 4)[-ndim:])
    flat = torch.randn(1, 1, *(4, 8, 8)[-ndim:])
    with torch.inference_mode():
        assert network(flat).isfinite().all()


def test_wrong_settings_are_named() -> None:
    with pytest.raises(InputError, match=r"3 groups need a width that is a multiple, got 4; use a width of 6"):
        unet(settings={"groups": 3})
    with pytest.raises(InputError, match=r"network 'unet', setting 'activation': .*its settings: attention, "):
        unet(settings={"activation": "tanh"})


@pytest.mark.parametrize("settings", [{**ALL, "activation": "prelu"}])
def test_overfits_one_image(settings: dict[str, object]) -> None:
    assert overfit(build(NetworkConfig(width=4, depth=2, out_channels=2, settings=settings))) > 0.95
