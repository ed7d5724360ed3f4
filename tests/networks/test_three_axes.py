"""A 2D network on planes along three axes: their mean, as exact in tiles, whatever the distance of planes."""

from __future__ import annotations

import pytest
import torch
from tests.networks.test_fold import trained

from napari_unetseg.networks.network import Network
from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.schema.errors import InputError


def logits_of(network: Network, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return network.forward_cropped(x, [(0, 0)] * network.config.ndim)


def maps_of(logits: torch.Tensor) -> torch.Tensor:
    return torch.cat([logits[:, :3].softmax(dim=1), logits[:, 3:].clamp(0, 1)], dim=1)


def test_the_mean_of_planes_taken_one_by_one() -> None:
    network, x = trained(dropout=0.0).eval(), torch.randn(1, 1, 12, 16, 20, dtype=torch.float64)
    sums = torch.zeros(1, 4, 12, 16, 20, dtype=torch.float64)
    for axis in range(3):
        for index in range(x.shape[axis + 2]):
            sums.select(axis + 2, index).add_(maps_of(logits_of(network, x.select(axis + 2, index))))
    found = maps_of(logits_of(ThreeAxes(network, z_step=1, classes=3), x))
    torch.testing.assert_close(found.double(), sums / 3, atol=1e-5, rtol=0)


def test_planes_that_are_repeated_give_what_they_give_alone() -> None:
    """Z without any change: XZ and YZ planes are the same however far apart the planes are."""
    network, plane = trained().eval(), torch.randn(1, 1, 1, 16, 16, dtype=torch.float64)
    for step in (2, 3):
        near = logits_of(ThreeAxes(network, z_step=1, classes=3), plane.expand(1, 1, 16 * step, 16, 16))
        far = logits_of(ThreeAxes(network, z_step=step, classes=3), plane.expand(1, 1, 16, 16, 16))
        means = maps_of(near)[:, :3].unflatten(2, (16, step)).mean(dim=3)
        torch.testing.assert_close(maps_of(far)[:, :3], means, atol=1e-5, rtol=0)


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 64])
def test_divisor_and_halo_follow_the_distance_of_planes(step: int) -> None:
    flat = trained()
    network = ThreeAxes(flat, z_step=step, classes=3)
    divisor, halo = network.divisor[0], network.halo[0]
    assert divisor * step % flat.divisor[0] == 0
    assert halo % divisor == 0
    assert halo * step >= flat.halo[0] + (step if step > 1 else 0)
    assert (network.divisor[1:], network.halo[1:]) == (flat.divisor, flat.halo)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_region_with_its_halo_gives_what_the_whole_gives(step: int) -> None:
    network = ThreeAxes(trained().eval(), z_step=step, classes=3)
    front = network.halo[0]
    x = torch.randn(1, 1, 2 * front + network.divisor[0] * 4, 36, 32, dtype=torch.float64)
    cut = network.divisor[0]
    with torch.inference_mode():
        whole = network.forward_cropped(x, [(0, 0)] * 3)
        part = network.forward_cropped(x[:, :, cut:], [(front, 0), (0, 24), (24, 0)])
    wanted = whole[:, :, cut + front :, : 36 - 24, 24:]
    torch.testing.assert_close(maps_of(part), maps_of(wanted), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("planes", "step"), [(4, 1), (8, 1), (12, 1), (2, 2), (4, 2), (1, 4), (4, 3)])
def test_what_is_alive_is_not_more_than_what_is_told(planes: int, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The 2D network's maps of the planes that it sees at once; of a flat stack that may be a quarter, or all."""
    flat = trained().eval()
    network, seen = ThreeAxes(flat, z_step=step, classes=3), []
    inner = flat.forward_cropped
    monkeypatch.setattr(flat, "forward_cropped", lambda x, halos: (seen.append(x[:, 0].numel()), inner(x, halos))[1])
    volume = torch.randn(1, 1, planes, 32, 32, dtype=torch.float64)
    logits_of(network, volume)
    others = 4 * (flat.config.in_channels + flat.config.out_channels)  # of the volume itself, and its logits
    assert max(seen) * flat.maps_per_pixel <= volume.numel() * (network.maps_per_pixel - others)


def test_planes_are_refused() -> None:
    network = ThreeAxes(trained().eval(), z_step=1, classes=3)
    with pytest.raises(InputError, match="3D network reads batches"):
        network.forward_cropped(torch.zeros(1, 1, 16, 16), [(0, 0)] * 2)
