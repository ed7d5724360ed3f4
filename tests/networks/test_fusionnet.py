"""FusionNet: parameter counts, its added skips, exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_tiles, measured_radius

from napari_unetseg.networks import reach
from napari_unetseg.networks.fusionnet import LOOKS, FusionNet
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

NAME = "fusionnet"


@pytest.mark.parametrize(
    ("width", "outputs", "count"),
    [(64, 1, 78_531_649), (64, 2, 78_530_496 + 576 + 577 * 2), (32, 1, 19_644_961)],
)
def test_parameter_counts(width: int, outputs: int, count: int) -> None:
    assert parameters(NAME, out_channels=outputs, width=width) == count


def test_sizes_gradients_and_prediction() -> None:
    network = lively(NAME)
    assert network(torch.zeros(1, 1, 16, 48)).shape == (1, 3, 16, 48)
    with pytest.raises(InputError, match=r"multiple of \(16, 16\)"):
        network(torch.zeros(1, 1, 20, 16))
    check_promises(network, edges=(32, 48))


def test_paths_are_added_or_averaged() -> None:
    total, x = lively(NAME), torch.randn(1, 1, 32, 32)
    mean = build(total.config.replace(settings={"skips": "mean"})).eval()
    mean.load_state_dict(total.state_dict())
    assert isinstance(total, FusionNet)
    assert [block[0][0].in_channels for block in total.decoder] == [2, 4, 8, 16]
    skip, up = torch.ones(1, 2, 4, 4), torch.full((1, 2, 4, 4), 3.0)
    assert torch.equal(total._join(skip, up, level=0), torch.full_like(up, 4.0))
    with torch.inference_mode():
        assert not torch.allclose(mean(x), total(x), atol=1e-3)
    with pytest.raises(InputError, match="setting 'skips'"):
        build(NetworkConfig(architecture=NAME, settings={"skips": "concatenate"}))


def test_the_finest_skip_matters() -> None:
    network, x = lively(NAME), torch.randn(1, 1, 32, 32)
    assert isinstance(network, FusionNet)
    with torch.inference_mode():
        before = network(x)
        join = network._join
        network._join = lambda skip, up, *, level: join(skip * (level > 0), up, level=level)  # type: ignore[method-assign]
        assert not torch.allclose(network(x), before, atol=1e-3)


def test_tiled_equals_untiled() -> None:
    network = lively(NAME, width=1)
    assert network.halo == (256, 256)
    check_tiles(network, shape=(624, 32), tile=(48, 32))


def test_halo_covers_what_the_output_depends_on() -> None:
    radius = measured_radius(lively(NAME, width=1), rows=592)
    assert 251 - 16 <= radius <= reach.radius([2] * 4, LOOKS) == 251


def test_overfits_one_image() -> None:
    assert overfit(build(NetworkConfig(architecture=NAME, width=4, out_channels=2))) > 0.95
