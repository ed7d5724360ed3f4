"""ENet: parameter counts, its stages, where values return to, and sizes."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from torch import nn

from napari_unetseg.networks import enet
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize(("inputs", "outputs", "count"), [(3, 12, 350_652), (1, 2, 348_924 - 216 + 2 * 144)])
def test_parameter_counts(inputs: int, outputs: int, count: int) -> None:
    """With one channel the convolution of the stem has 9 (15 - 3 * 13) weights less: all maps but the pooled ones."""
    assert parameters("enet", width=16, in_channels=inputs, out_channels=outputs) == count


def test_promises() -> None:
    network = lively("enet", in_channels=2, width=4)
    check_promises(network, rough=True)
    assert (network.divisor, network.halo, network.is_tile_exact) == ((8, 8), (8, 8), False)


def test_sizes() -> None:
    network = lively("enet")
    for shape in ((8, 8), (101, 97), (15, 32)):
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 3, *shape)
    with pytest.raises(InputError, match="images of 8 x 8 pixels or more"):
        network(torch.zeros(1, 1, 64, 7))


def test_more_channels_than_the_stem_has_maps() -> None:
    network = lively("enet", in_channels=5, width=4)
    assert network(torch.zeros(1, 5, 16, 16)).shape == (1, 3, 16, 16)
    assert network.stem.pool is None


def test_the_largest_part_works_on_an_eighth() -> None:
    network, shapes = lively("enet"), []
    for stage in network.encoder:
        stage.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    network(torch.zeros(1, 1, 64, 32))
    assert shapes == [(8, 16, 8), (16, 8, 4)]


def test_pattern_of_the_second_stage() -> None:
    stage = lively("enet", width=16).encoder[1]
    kernels = [layer for layer in stage.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size != (1, 1)]
    found = [(layer.kernel_size, layer.dilation[0]) for layer in kernels]
    square, long = ((3, 3), 1), [((5, 1), 1), ((1, 5), 1)]
    section = [square, ((3, 3), 2), *long, ((3, 3), 4), square, ((3, 3), 8), *long, ((3, 3), 16)]
    assert found == 2 * section


def test_dropout_takes_whole_maps() -> None:
    network = lively("enet")
    rates = [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout2d)]
    assert rates == [0.01, 0.1] + [0.01] * 4 + [0.1] * 21
    assert not any(isinstance(layer, nn.Dropout) for layer in network.modules())


def test_the_places_of_the_maxima_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = lively("enet"), torch.randn(1, 1, 32, 32)
    before, unpool = network(x), enet.unpool
    monkeypatch.setattr(enet, "unpool", lambda x, switches: unpool(x, (switches[0] ^ 1, switches[1])))
    assert (network(x) - before).abs().max() > 1e-3


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture="enet", width=8, out_channels=2))
    assert overfit(network, steps=80, rate=2e-2) > 0.95
