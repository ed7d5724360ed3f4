"""Views of the input: what they are, and that the result turns with the image."""

from __future__ import annotations

import pytest
import torch
from tests.networks.test_fold import trained

from napari_unetseg.networks.views import VIEWS, Views


def test_views_are_as_many_as_they_are_called_and_all_different() -> None:
    image = torch.arange(6.0).reshape(2, 3)
    for count, views in VIEWS.items():
        seen = [torch.rot90(image, turns).flip(-1) if flips else torch.rot90(image, turns) for turns, flips in views]
        assert len(views) == count
        assert len({(one.shape, tuple(one.flatten().tolist())) for one in seen}) == count
        assert set(VIEWS[1]) <= set(views) <= set(VIEWS[8])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_the_result_turns_with_the_image(count: int, ndim: int) -> None:
    network = Views(trained(ndim=ndim).eval(), count=count, classes=3)
    x = torch.randn(1, 1, *(8, 16, 24)[3 - ndim :], dtype=torch.float64)
    halos = [(0, 0)] * ndim
    with torch.inference_mode():
        found, single = network.forward_cropped(x, halos), network.network.forward_cropped(x, halos)
        assert (found[:, :3].softmax(dim=1) - single[:, :3].softmax(dim=1)).abs().max() > 1e-3
        for turns, is_mirrored in network.views:
            view = torch.rot90(x, turns, dims=(-2, -1))
            turned = network.forward_cropped(view.flip(-1) if is_mirrored else view, halos)
            back = torch.rot90(turned.flip(-1) if is_mirrored else turned, -turns, dims=(-2, -1))
            torch.testing.assert_close(back, found, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("count", [2, 4, 8])
def test_halos_turn_along(count: int) -> None:
    """The halo is as wide as the network looks, so that the rim of the tile cannot be seen in what it gives."""
    network = Views(trained().eval(), count=count, classes=3)
    x, front, back = torch.randn(1, 1, 48, 104, dtype=torch.float64), network.halo[0], 24
    with torch.inference_mode():
        whole = network.forward_cropped(x, [(0, 0), (0, 0)])
        part = network.forward_cropped(x[..., 8:104], [(0, 0), (front, back)])
    torch.testing.assert_close(part, whole[..., 8 + front : 104 - back], atol=1e-5, rtol=1e-5)
