"""The U-Net: parameter counts, sizes, exact tiles, and what a pixel depends on."""

from __future__ import annotations

import pytest
import torch
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import tiled

from napari_unetseg.networks import reach
from napari_unetseg.networks.blocks import crop
from napari_unetseg.networks.registry import build
from napari_unetseg.networks.unet import UNet
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


def tiny(**fields: object) -> UNet:
    network = lively("unet", **{"width": 4, "depth": 2, **fields})
    assert isinstance(network, UNet)
    return network


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({"in_channels": 1, "out_channels": 2}, 31_036_546),
        ({"in_channels": 3, "out_channels": 2}, 31_037_698),
        ({"in_channels": 1, "out_channels": 2, "padding": "valid", "norm": "none"}, 31_030_658),
    ],
)
def test_parameter_counts_of_the_reference_networks(settings: dict[str, object], count: int) -> None:
    assert parameters("unet", width=64, depth=4, **settings) == count


@pytest.mark.parametrize(
    ("settings", "divisor", "halo"),
    [
        ({"depth": 4}, (16, 16), (96, 96)),
        ({"depth": 4, "padding": "valid"}, (16, 16), (96, 96)),
        ({"depth": 3, "ndim": 3}, (8, 8, 8), (48, 48, 48)),
        ({"depth": 3, "ndim": 3, "flat_levels": 1}, (4, 8, 8), (24, 48, 48)),
    ],
)
def test_divisor_and_halo(settings: dict[str, object], divisor: tuple[int, ...], halo: tuple[int, ...]) -> None:
    network = tiny(**settings)
    assert network.divisor == divisor
    assert network.halo == halo
    assert network.is_tile_exact


def test_output_has_the_size_of_the_input() -> None:
    assert tiny()(torch.zeros(2, 1, 4, 12)).shape == (2, 3, 4, 12)
    assert tiny(ndim=3, flat_levels=2)(torch.zeros(1, 1, 5, 8, 4)).shape == (1, 3, 5, 8, 4)


def test_sizes_of_the_unpadded_network() -> None:
    network = tiny(depth=4, width=1, padding="valid", norm="none")
    assert network(torch.zeros(1, 1, 572, 188)).shape == (1, 3, 388, 4)


def test_wrong_sizes_are_named_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"multiple of \(4, 4\), got \(9, 8\); pad it to \(12, 8\)"):
        tiny()(torch.zeros(1, 1, 9, 8))
    with pytest.raises(InputError, match=r"\(573, 188\) pixels; .* \(572, 188\) and \(588, 188\)"):
        tiny(depth=4, width=1, padding="valid")(torch.zeros(1, 1, 573, 188))
    with pytest.raises(InputError, match=r"multiples of \(4, 4\), got halos"):
        tiny().forward_cropped(torch.zeros(1, 1, 16, 16), [(2, 0), (0, 0)])
    with pytest.raises(InputError, match="halos"):
        tiny().forward_cropped(torch.zeros(1, 1, 16, 16), [(8, 8), (0, 0)])


def test_wrong_channels_and_dimensions() -> None:
    with pytest.raises(InputError, match="reads 1 channel"):
        tiny()(torch.zeros(1, 2, 8, 8))
    with pytest.raises(InputError, match=r"\(N, C, Y, X\)"):
        tiny()(torch.zeros(1, 1, 4, 8, 8))


@pytest.mark.parametrize(
    ("settings", "shape", "tiles"),
    [
        ({"depth": 2}, (100, 76), [(32, 32), (8, 60), (48, 4)]),
        ({"depth": 3}, (136, 152), [(64, 40), (128, 16)]),
        ({"depth": 3, "norm": "none"}, (136, 104), [(64, 40)]),
        ({"depth": 1, "ndim": 3}, (20, 22, 24), [(8, 10, 12), (20, 6, 12)]),
        ({"depth": 2, "ndim": 3}, (8, 8, 64), [(8, 4, 24)]),
        ({"depth": 2, "ndim": 3, "flat_levels": 1}, (36, 32, 8), [(14, 20, 8)]),
        ({"depth": 2, "ndim": 3, "flat_levels": 2}, (25, 8, 36), [(6, 8, 20)]),
        ({"depth": 2, "padding": "valid"}, (100, 76), [(32, 32), (8, 60)]),
        ({"depth": 3, "padding": "valid", "norm": "none"}, (136, 104), [(64, 40)]),
    ],
)
def test_tiled_equals_untiled(
    settings: dict[str, object], shape: tuple[int, ...], tiles: list[tuple[int, ...]]
) -> None:
    network = tiny(**settings)
    image = torch.randn(1, 1, *shape)
    for dtype, rounding in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        network, image = network.to(dtype), image.to(dtype)
        with torch.inference_mode():
            whole = network.forward_cropped(image, [(0, 0)] * len(shape))
            assert whole.shape[2:] == shape
            for tile in tiles:
                difference = (tiled(network, image, tile=tile) - whole).abs().max()
                assert difference < rounding * whole.abs().max()


def test_a_smaller_halo_is_not_exact() -> None:
    """The previous test can fail: one divisor less of halo, and tiles differ."""
    network = tiny(depth=2)
    network.halo = (4, 4)
    image = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        assert (tiled(network, image, tile=(16, 16)) - network(image)).abs().max() > 1e-3


def test_cropped_equals_crop_of_the_whole_tile() -> None:
    network = tiny()
    x, halos = torch.randn(1, 1, 72, 64), [(24, 28), (0, 24)]
    with torch.inference_mode():
        assert torch.allclose(network.forward_cropped(x, halos), crop(network(x), halos), atol=1e-5)


def test_unpadded_network_equals_its_own_plain_pass() -> None:
    """Inside a larger image, away from the border, nothing is mirrored."""
    network = tiny(padding="valid")  # depth 2: margin 20, sizes 44 + 4k
    image = torch.randn(1, 1, 76, 76)
    with torch.inference_mode():
        assert torch.allclose(network.forward_cropped(image, [(20, 20)] * 2), network(image), atol=1e-5)


def measured_reach(network: UNet, *, size: int, axis: int, start: int, stop: int) -> int:
    """Farthest input pixel along `axis` that changes the logits of the aligned region when raised.

    All weights positive and inputs nearly flat: nothing cancels, and a raised pixel wins every maximum it is in.
    """
    for parameter in network.parameters():
        parameter.data.abs_().clamp_(min=0.01)
    shape = [network.divisor[index] for index in range(network.config.ndim)]
    shape[axis] = size
    base = torch.ones(1, 1, *shape, dtype=torch.float64)
    positions = range(size)
    raised = base.repeat(size, 1, *[1] * len(shape))
    for position in positions:
        raised[position].select(axis + 1, position).fill_(2.0)
    network = network.double()
    with torch.inference_mode():
        change = (network(raised) - network(base)).abs().narrow(axis + 2, start, stop - start)
    seen = [position for position in positions if change[position].max() > 1e-12]
    return max(start - seen[0], seen[-1] - (stop - 1))


@pytest.mark.parametrize(
    ("settings", "axis"),
    [
        ({"depth": 1}, 0),
        ({"depth": 2}, 1),
        ({"depth": 3}, 0),
        ({"depth": 2, "ndim": 3, "flat_levels": 1}, 0),
        ({"depth": 2, "ndim": 3, "flat_levels": 1}, 2),
    ],
)
def test_halo_covers_exactly_what_the_output_depends_on(settings: dict[str, object], axis: int) -> None:
    network = tiny(width=1, norm="none", **settings)
    strides = [stride[axis] for stride in network._strides]
    step, halo = network.divisor[axis], network.halo[axis]
    start = halo + 4 * step
    radius = measured_reach(network, size=2 * start + step, axis=axis, start=start, stop=start + step)
    assert radius == reach.radius(strides)
    assert radius <= halo


def test_gradients_reach_every_parameter() -> None:
    network = tiny(dropout=0.5).train()
    network(torch.randn(2, 1, 8, 8)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_dropout_acts_at_the_end_of_the_contracting_path_in_training_only() -> None:
    network = tiny(dropout=0.5)
    names = [name for name, module in network.named_modules() if type(module).__name__ == "Dropout"]
    assert [name.split(".")[:2] for name in names] == [["encoder", "1"], ["encoder", "2"]]
    x = torch.randn(1, 1, 8, 8)
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize("edges", [(16, 24), (4, 8, 12)])
def test_promises(edges: tuple[int, ...]) -> None:
    check_promises(tiny(ndim=len(edges)), edges=edges)


@pytest.mark.parametrize("ndim", [2, 3])
def test_channels_last_and_autocast(ndim: int) -> None:
    network = tiny(ndim=ndim)
    x = torch.randn(1, 1, *[32] * ndim)
    halos = [(8, 8)] * ndim
    layout = torch.channels_last if ndim == 2 else torch.channels_last_3d
    with torch.inference_mode():
        expected = network.forward_cropped(x, halos)
        network.to(memory_format=layout)  # type: ignore[call-overload]
        got = network.forward_cropped(x.to(memory_format=layout), halos)
        assert torch.allclose(got, expected, atol=1e-5)
        if ndim == 2:  # on the CPU, small 3D convolutions of torch itself do not keep the layout
            assert got.is_contiguous(memory_format=layout)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = network.forward_cropped(x.to(memory_format=layout), halos)
    assert low.dtype == torch.bfloat16
    assert (low.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_overfits_one_image() -> None:
    """A bright square on noise is found again after a few steps."""
    torch.manual_seed(0)
    network = build(NetworkConfig(width=4, depth=1, out_channels=2))
    truth = torch.zeros(1, 24, 24, dtype=torch.long)
    truth[:, 6:16, 8:20] = 1
    image = truth[:, None] + 0.3 * torch.randn(1, 1, 24, 24)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(image), truth).backward()
        optimiser.step()
    found = network.eval()(image).argmax(dim=1)
    assert (found & truth).sum() / (found | truth).sum() > 0.95
