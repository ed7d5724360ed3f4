"""UNet++: parameter counts, its heads, what is left out when it is cut down, exact tiles."""

from __future__ import annotations

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters
from tests.networks.tiles import check_tiles, measured_radius

from napari_unetseg.networks import reach
from napari_unetseg.networks.registry import build
from napari_unetseg.networks.unet_plus_plus import UNetPlusPlus
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

NAME = "unet_plus_plus"


@pytest.mark.parametrize(
    ("inputs", "outputs", "deep", "count"),
    [
        (3, 1, False, 9_163_329),
        (3, 1, True, 9_163_428),
        (1, 2, False, 9_162_432 + 288 + 33 * 2),
        (1, 2, True, 9_162_432 + 288 + 132 * 2),
    ],
)
def test_parameter_counts(inputs: int, outputs: int, deep: bool, count: int) -> None:
    settings = {"deep_supervision": deep}
    assert parameters(NAME, in_channels=inputs, out_channels=outputs, width=32, settings=settings) == count


def test_sizes_gradients_and_prediction() -> None:
    network = lively(NAME)
    assert network(torch.zeros(1, 1, 16, 48)).shape == (1, 3, 16, 48)
    with pytest.raises(InputError, match=r"multiple of \(16, 16\), got \(100, 100\); pad it to \(112, 112\)"):
        network(torch.zeros(1, 1, 100, 100))
    check_promises(network, edges=(32, 48))


@pytest.mark.parametrize("keep", [1, 2, 3, 4])
def test_a_network_cut_down_gives_what_its_head_learnt(keep: int) -> None:
    full, x = lively(NAME), torch.randn(1, 1, 32, 32)
    pruned = build(full.config.replace(settings={"keep": keep})).eval()
    pruned.load_state_dict(full.state_dict())
    with torch.inference_mode():
        heads = full.forward_heads(x)
        every = (*heads.deep, heads.logits)
        assert torch.equal(pruned(x), every[keep - 1])
        assert torch.equal(pruned.forward_heads(x).logits, every[keep - 1])
        assert len(pruned.forward_heads(x).deep) == 3


def test_nodes_that_are_left_out_are_not_computed() -> None:
    network, x = lively(NAME, settings={"keep": 2}), torch.randn(1, 1, 32, 32)
    assert isinstance(network, UNetPlusPlus)
    seen = []
    for name, node in network.nodes.items():
        node.register_forward_hook(lambda *_, name=name: seen.append(name))
    with torch.inference_mode():
        network(x)
    assert sorted(seen) == ["0_0", "0_1", "0_2", "1_0", "1_1", "2_0"]


def test_the_last_node_serves_the_last_head_alone() -> None:
    network, x = lively(NAME), torch.randn(1, 1, 32, 32)
    assert isinstance(network, UNetPlusPlus)
    with torch.inference_mode():
        before = network.forward_heads(x)
        for parameter in network.nodes["0_4"].parameters():
            parameter.zero_()
        after = network.forward_heads(x)
    assert all(torch.equal(one, other) for one, other in zip(before.deep, after.deep, strict=True))
    assert not torch.equal(before.logits, after.logits)


def test_without_deep_supervision_there_is_one_head() -> None:
    network = lively(NAME, settings={"deep_supervision": False})
    assert network.forward_heads(torch.zeros(1, 1, 16, 16)).deep == ()
    with pytest.raises(InputError, match=r"setting 'keep': .*2 needs deep_supervision"):
        build(NetworkConfig(architecture=NAME, settings={"deep_supervision": False, "keep": 2}))


@pytest.mark.parametrize(("keep", "halo"), [(1, 16), (2, 32), (4, 112)])
def test_tiled_equals_untiled(keep: int, halo: int) -> None:
    network = lively(NAME, settings={"keep": keep})
    assert network.halo == (halo, halo)
    check_tiles(network, shape=(288, 32), tile=(48, 32))


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_halo_covers_exactly_what_the_output_depends_on(keep: int) -> None:
    network = lively(NAME, width=1, settings={"keep": keep})
    radius = measured_radius(network, rows=208)
    assert radius <= reach.radius([2] * keep, reach.Looks(is_overlapping=True)) <= network.halo[0]
    assert radius >= reach.radius([2] * keep, reach.Looks(is_overlapping=True)) - 2**keep


def test_overfits_one_image() -> None:
    assert overfit(build(NetworkConfig(architecture=NAME, width=4, out_channels=2))) > 0.95
