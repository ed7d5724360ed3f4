"""FANet with feedback: published parameter counts, the mask of the pass before, and what each pass leaves behind."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from tests.networks.overfit import overfit
from tests.networks.promises import check_promises, lively, parameters

from napari_unetseg.networks.fanet_feedback import FANetFeedback, MixPool, foreground
from napari_unetseg.networks.otsu import otsu_mask
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

NAME = "fanet_feedback"


def feedback(*, passes: int = 2, **fields: object) -> FANetFeedback:
    network = lively(architecture=NAME, settings={"passes": passes}, **fields)
    assert isinstance(network, FANetFeedback)
    return network


@pytest.mark.parametrize(
    ("channels", "classes", "count"),
    [
        (3, 1, 7_720_266),
        (1, 2, 7_720_266 - 2 * 32 * (9 + 1) + (16 + 1 + 1)),  # first 3x3 and 1x1 convolution; head
    ],
)
def test_published_parameters(channels: int, classes: int, count: int) -> None:
    assert parameters(architecture=NAME, width=32, in_channels=channels, out_channels=classes) == count


def test_promises() -> None:
    network = feedback()
    heads = check_promises(network, rough=True)
    assert heads.deep == heads.border == ()
    assert (network.divisor, network.is_tile_exact, network.least_batch) == ((16, 16), False, 1)


def test_wrong_sizes_channels_dimensions_and_settings_are_named() -> None:
    with pytest.raises(InputError, match=r"multiple of \(16, 16\), got \(100, 16\); pad it to \(112, 16\)"):
        feedback()(torch.zeros(1, 1, 100, 16))
    with pytest.raises(InputError, match="reads 1 channel, got 2"):
        feedback()(torch.zeros(1, 2, 16, 16))
    with pytest.raises(InputError, match="'fanet_feedback' is for 2D only"):
        build(NetworkConfig(architecture=NAME, ndim=3))
    with pytest.raises(InputError, match=r"setting 'passes': .* less than or equal to 8"):
        build(NetworkConfig(architecture=NAME, settings={"passes": 9}))


def test_every_pass_gets_the_mask_of_the_one_before() -> None:
    """Done by hand: Otsu, then the foreground of the logits."""
    x = torch.randn(2, 1, 32, 32)
    network = feedback(passes=3)
    with torch.inference_mode():
        masks = [otsu_mask(x)]
        for _ in range(3):
            logits = network._look(x, masks[-1])
            masks.append(foreground(logits).float())
        assert torch.equal(network(x), logits)
        fewer = build(network.config.replace(settings={"passes": 1})).eval()
        fewer.load_state_dict(network.state_dict())
        assert torch.equal(fewer(x), network._look(x, masks[0]))
        assert not torch.allclose(fewer(x), logits, atol=1e-3)
    assert not torch.equal(masks[0], masks[1])


def test_the_mask_matters_at_every_level_and_at_the_head() -> None:
    network, x = feedback(), torch.randn(1, 1, 32, 32)
    zero, one = torch.zeros(1, 1, 32, 32), torch.ones(1, 1, 32, 32)
    for mix in (*network.encoder_mix, *network.decoder_mix):
        maps = torch.rand(1, mix.find[0][0].in_channels, 16, 16) + 1
        with torch.inference_mode():
            mix.find[1].bias.fill_(-100)  # finds nothing itself
            assert not torch.allclose(mix(maps, zero), mix(maps, one), atol=1e-3)
            mix.find[1].bias.fill_(100)
            assert torch.equal(mix(maps, zero), mix(maps, one))
    with torch.inference_mode():
        change = network._look(x, one) - network._look(x, zero)  # every mix finds all: the head alone sees the mask
        assert torch.allclose(change, network.head.weight[:, -1].view(1, -1, 1, 1).expand_as(change), atol=1e-5)


def test_half_of_the_maps_come_from_masked_pixels() -> None:
    """A coarse pixel is masked if any of its fine ones is; what is not important is 0 there and whole elsewhere."""
    mix = MixPool(4).eval()
    torch.nn.init.zeros_(mix.find[1].weight)
    torch.nn.init.constant_(mix.find[1].bias, -1)
    mask, x = torch.zeros(1, 1, 8, 8), torch.rand(1, 4, 4, 4)
    mask[..., 5, 2] = 1
    kept = torch.zeros_like(x)
    kept[..., 2, 1] = x[..., 2, 1]
    with torch.inference_mode():
        assert torch.equal(mix(x, mask), torch.cat([mix.of_important(kept), mix.of_all(x)], dim=1))


def test_what_a_stage_finds_is_learnt_where_the_mask_is_empty() -> None:
    mix, x = MixPool(4), torch.randn(2, 4, 8, 8)
    mix.find[1].weight.data = torch.tensor([1.0, -1.0, 1.0, -1.0]).view(1, 4, 1, 1)  # finds some, not all
    for mask, is_learnt in ((torch.zeros(2, 1, 8, 8), True), (torch.ones(2, 1, 8, 8), False)):
        mix.zero_grad()
        mix(x, mask).square().sum().backward()
        assert bool(mix.find[1].weight.grad.any()) is is_learnt


@pytest.mark.parametrize(
    ("logits", "expected"),
    [([[2.0], [1.0], [1.5]], 0.0), ([[2.0], [1.0], [2.5]], 1.0), ([[-1.0]], 0.0), ([[1.0]], 1.0)],
)
def test_foreground_is_what_is_not_background(logits: list[list[float]], expected: float) -> None:
    assert foreground(torch.tensor(logits).view(1, -1, 1, 1)).float().flatten().tolist() == [expected]


def test_passes_without_gradient_leave_the_running_averages_alone() -> None:
    """Two passes move them as one does, given the same mask; and they move by as much as ever afterwards."""
    x = torch.randn(2, 1, 32, 32)
    network = feedback(passes=2).train()
    first, once, twice = deepcopy(network), deepcopy(network), deepcopy(network)
    with torch.no_grad():
        once._look(x, foreground(first._look(x, otsu_mask(x))).float())
    twice(x)
    for (name, expected), value in zip(once.named_buffers(), twice.buffers(), strict=True):
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, expected), name
    assert {module.momentum for module in twice.modules() if isinstance(module, torch.nn.BatchNorm2d)} == {0.1}


def test_overfits_one_image() -> None:
    torch.manual_seed(0)
    network = build(NetworkConfig(architecture=NAME, width=2, out_channels=2))
    assert overfit(network, steps=40, rate=2e-2) > 0.95
