"""SegNet: parameter counts, where values return to, sizes and exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_reach, check_tiles

from napari_unetseg.networks import unpooling
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

NAMES = ("segnet", "segnet_basic")


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "count"),
    [
        ("segnet", 3, 11, 29_449_355),
        ("segnet", 1, 2, 29_441_280 + 576 + 2 * 577),
        ("segnet_basic", 3, 11, 1_416_587),
        ("segnet_basic", 1, 2, 1_406_464 + 3_136 + 2 * 65),
    ],
)
def test_parameter_counts(name: str, inputs: int, outputs: int, count: int) -> None:
    assert parameters(name, width=64, in_channels=inputs, out_channels=outputs) == count


@pytest.mark.parametrize(("name", "divisor", "halo"), [("segnet", 32, 192), ("segnet_basic", 16, 96)])
def test_divisor_and_halo(name: str, divisor: int, halo: int) -> None:
    network = lively(name)
    assert network.divisor == (divisor, divisor)
    assert network.halo == (halo, halo)
    assert network.is_tile_exact


@pytest.mark.parametrize("name", NAMES)
def test_promises(name: str) -> None:
    check_promises(lively(name, in_channels=2), rough=True)


@pytest.mark.parametrize("name", NAMES)
def test_sizes(name: str) -> None:
    network = lively(name)
    step = network.divisor[0]
    for shape in ((step, step), (101, 97)):
        assert network(torch.zeros(1, 1, *shape)).shape == (1, 3, *shape)
    with pytest.raises(InputError, match=f"images of {step} x {step} pixels or more"):
        network(torch.zeros(1, 1, 64, step - 1))


@pytest.mark.parametrize("name", NAMES)
def test_tiled_equals_untiled(name: str) -> None:
    network = lively(name)
    check_tiles(network, shape=(2 * network.halo[0] + 4 * network.divisor[0], 64), tile=(64, 32))


@pytest.mark.parametrize("name", NAMES)
def test_halo_covers_what_the_output_depends_on(name: str) -> None:
    check_reach(lively(name, width=1), across=32)


def test_the_places_of_the_maxima_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = lively("segnet"), torch.randn(1, 1, 32, 32)
    before = network(x)
    unpool = unpooling.unpool

    def mirrored(x: torch.Tensor, switches: tuple[torch.Tensor, tuple[int, int]]) -> torch.Tensor:
        places, size = switches
        return unpool(x, (places ^ 1, size))  # the neighbour in the same block of two columns

    monkeypatch.setattr(unpooling, "unpool", mirrored)
    assert (network(x) - before).abs().max() > 1e-3


def test_the_decoder_of_the_basic_network_has_no_relu() -> None:
    kinds = {type(layer).__name__ for stage in lively("segnet_basic").decoder for layer in stage}
    assert kinds == {"Conv2d", "BatchNorm2d"}


@pytest.mark.parametrize(("name", "steps", "rate"), [("segnet", 60, 1e-2), ("segnet_basic", 50, 2e-2)])
def test_overfits_one_image(name: str, steps: int, rate: float) -> None:
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture=name, width=8, out_channels=2))
    assert overfit(network, steps=steps, rate=rate) > 0.95
