"""FusionNet: parameter counts, its added skips, exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.contract import check_prediction, has_finite_gradients, parameters, tiny
from tests.networks.overfit import overfit
from tests.networks.test_unet import tiled

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
    network = tiny(NAME)
    assert network(torch.zeros(1, 1, 16, 48)).shape == (1, 3, 16, 48)
    with pytest.raises(InputError, match=r"multiple of \(16, 16\)"):
        network(torch.zeros(1, 1, 20, 16))
    check_prediction(network, torch.randn(3, 1, 32, 48))
    assert has_finite_gradients(network, torch.randn(2, 1, 32, 32))


def test_paths_are_added_or_averaged() -> None:
    total, x = tiny(NAME), torch.randn(1, 1, 32, 32)
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
    network, x = tiny(NAME), torch.randn(1, 1, 32, 32)
    assert isinstance(network, FusionNet)
    with torch.inference_mode():
        before = network(x)
        join = network._join
        network._join = lambda skip, up, *, level: join(skip * (level > 0), up, level=level)  # type: ignore[method-assign]
        assert not torch.allclose(network(x), before, atol=1e-3)


def test_tiled_equals_untiled() -> None:
    network = tiny(NAME, width=1).double()
    assert network.halo == (256, 256)
    image = torch.randn(1, 1, 624, 32, dtype=torch.float64)
    with torch.inference_mode():
        whole = network(image)
        assert (tiled(network, image, tile=(48, 32)) - whole).abs().max() < 1e-12 * whole.abs().max()


def test_halo_covers_what_the_output_depends_on() -> None:
    """Positive weights, so that nothing cancels: the gradient shows every pixel that a region depends on."""
    network = tiny(NAME, width=1).double()
    for parameter in network.parameters():
        parameter.data.abs_().clamp_(min=0.01)
    rows = torch.linspace(1, 2, 592, dtype=torch.float64)
    seen = []
    for image in (rows, rows.flip(0)):  # a maximum hands its gradient to the largest pixel only: look from both sides
        x = image.view(1, 1, -1, 1).repeat(1, 1, 1, 16).requires_grad_()
        network(x)[:, :, 288:304].sum().backward()
        assert x.grad is not None
        seen += x.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten().tolist()
    radius = max(288 - min(seen), max(seen) - 303)
    assert 251 - 16 <= radius <= reach.radius([2] * 4, LOOKS) == 251


def test_overfits_one_image() -> None:
    assert overfit(build(NetworkConfig(architecture=NAME, width=4, out_channels=2))) > 0.95
