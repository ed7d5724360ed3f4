"""DeconvNet: parameter counts, small images, where values return to, and exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_reach, check_tiles

from napari_unetseg.networks import unpooling
from napari_unetseg.networks.deconvnet import MeanTransposed
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize(("inputs", "outputs", "count"), [(3, 21, 251_805_653), (1, 2, 251_802_560 + 576 + 2 * 65)])
def test_parameter_counts(inputs: int, outputs: int, count: int) -> None:
    assert parameters("deconvnet", width=64, in_channels=inputs, out_channels=outputs) == count


def test_divisor_halo_and_batch() -> None:
    network = lively("deconvnet")
    assert (network.divisor, network.halo, network.is_tile_exact) == ((32, 32), (384, 384), True)
    assert network.least_batch == 2


def test_promises() -> None:
    check_promises(lively("deconvnet", in_channels=2), rough=True)


def test_sizes() -> None:
    network = lively("deconvnet", width=1)
    for shape in ((32, 32), (224, 224), (256, 96)):
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 3, *shape)
    with pytest.raises(InputError, match=r"multiple of \(32, 32\), got \(40, 32\); pad it to \(64, 32\)"):
        network(torch.zeros(1, 1, 40, 32))


def test_a_small_image_is_mirrored_behind_its_end() -> None:
    network, x = lively("deconvnet"), torch.randn(1, 1, 224, 128)
    mirrored = torch.cat([x, x.flip(3)[..., 1:97]], dim=3)
    torch.testing.assert_close(network(x), network(mirrored)[..., :128])


def test_windows_that_overlap_are_averaged() -> None:
    """Of equal values the mean is what one window gives: 2 * 0.5 + 1 in every pixel, whatever the size."""
    layer = MeanTransposed(2, 1, 7)
    torch.nn.init.constant_(layer.weight, 0.5)
    torch.nn.init.constant_(layer.bias, 1.0)
    for size in (1, 3, 20):
        torch.testing.assert_close(layer(torch.ones(1, 2, size, size)), torch.full((1, 1, size + 6, size + 6), 2.0))


def test_a_single_window_is_that_of_the_paper() -> None:
    ours, usual = MeanTransposed(3, 2, 7), torch.nn.ConvTranspose2d(3, 2, 7)
    usual.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 1, 1)
    torch.testing.assert_close(ours(x), usual(x))


def test_tiled_equals_untiled() -> None:
    check_tiles(lively("deconvnet", width=1), tile=(128, 32))


def test_halo_covers_what_the_output_depends_on() -> None:
    check_reach(lively("deconvnet", width=1), across=32)


def test_the_places_of_the_maxima_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = lively("deconvnet"), torch.randn(1, 1, 224, 224)
    before, unpool = network(x), unpooling.unpool
    monkeypatch.setattr(unpooling, "unpool", lambda x, switches: unpool(x, (switches[0] ^ 1, switches[1])))
    assert (network(x) - before).abs().max() > 1e-3


def test_learns_one_image() -> None:
    """Slower than others: its middle has one pixel, so that BatchNorm sees four values a step."""
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture="deconvnet", width=2, out_channels=2))
    assert overfit(network, steps=36, rate=2e-2) > 0.85
