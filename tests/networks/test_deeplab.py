"""DeepLab V3 and V3+: published parameter counts, strides, and how far the branches of the pyramid look."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, check_sizes, lively, parameters

from napari_unetseg.networks.deeplab import Pyramid
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

BOTH = pytest.mark.parametrize("name", ["deeplab_v3", "deeplab_v3_plus"])
SMALL = {"encoder": "resnet18", "output_stride": 8}


@pytest.mark.parametrize(
    ("name", "encoder", "count"),
    [
        ("deeplab_v3", "resnet50", 39_638_869),
        ("deeplab_v3", "resnet101", 58_630_997),
        ("deeplab_v3_plus", "resnet50", 39_761_845),
        ("deeplab_v3_plus", "resnet101", 58_753_973),
    ],
)
@pytest.mark.parametrize("stride", [8, 16])
def test_published_parameters(name: str, encoder: str, count: int, stride: int) -> None:
    settings = {"encoder": encoder, "output_stride": stride}
    assert parameters(architecture=name, width=64, in_channels=3, out_channels=21, settings=settings) == count


@pytest.mark.parametrize(("name", "fixed"), [("deeplab_v3", 39_624_064), ("deeplab_v3_plus", 39_747_040)])
def test_parameters_for_one_channel_and_two_classes(name: str, fixed: int) -> None:
    assert parameters(architecture=name, width=64, in_channels=1, out_channels=2) == fixed + 3_136 + 2 * 257


@BOTH
@pytest.mark.parametrize("stride", [8, 16])
def test_strides(name: str, stride: int) -> None:
    network = lively(architecture=name, settings={"encoder": "resnet18", "output_stride": stride})
    maps = network.encoder(torch.zeros(1, 1, 96, 96))
    assert [96 // one.shape[-1] for one in maps] == [4, 8, stride, stride]
    assert network.divisor == network.halo == (stride, stride)
    check_sizes(network)


@BOTH
def test_promises(name: str) -> None:
    network = lively(architecture=name, settings=SMALL)
    check_promises(network)


@pytest.mark.parametrize(("branch", "rate"), [(0, 6), (1, 12), (2, 18)])
def test_a_branch_sees_nine_pixels_as_far_apart_as_its_rate(branch: int, rate: int) -> None:
    pyramid = Pyramid(1, 1, rates=(6, 12, 18)).eval()
    convolution = pyramid.far[branch][0]
    torch.nn.init.ones_(convolution.weight)
    impulse = torch.zeros(1, 1, 41, 41)
    impulse[..., 20, 20] = 1
    seen = convolution(impulse)[0, 0].nonzero().tolist()
    assert seen == [[y, x] for y in (20 - rate, 20, 20 + rate) for x in (20 - rate, 20, 20 + rate)]


def test_the_whole_image_counts_everywhere() -> None:
    """The mean of a far pixel reaches every other: so tiles would not be exact, and one patch cannot be normalised."""
    network = lively(architecture="deeplab_v3", settings=SMALL)
    assert not network.is_tile_exact
    assert network.least_batch == 2
    changed = torch.zeros(1, 1, 512, 16)
    changed[..., -1, -1] = 50.0
    with torch.inference_mode():
        assert (network(changed) - network(torch.zeros_like(changed)))[..., 0, 0].abs().max() > 0
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network.train()(torch.zeros(1, 1, 64, 64))


def test_wrong_settings_and_sizes_are_named() -> None:
    with pytest.raises(InputError, match=r"network 'deeplab_v3', setting 'output_stride': .*8 or 16"):
        build(NetworkConfig(architecture="deeplab_v3", settings={"output_stride": 4}))
    with pytest.raises(InputError, match=r"setting 'encoder': .*resnet18"):
        build(NetworkConfig(architecture="deeplab_v3_plus", settings={"encoder": "vgg"}))
    with pytest.raises(InputError, match=r"multiple of \(8, 8\), got \(12, 16\); pad it to \(16, 16\)"):
        lively(architecture="deeplab_v3", settings=SMALL)(torch.zeros(1, 1, 12, 16))


@BOTH
def test_overfits_one_image(name: str) -> None:
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture=name, width=4, out_channels=2, settings=SMALL))
    assert overfit(network) > 0.95
