"""Layers that share a batch: two threads with uneven parts of it give what one process gives for all of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from napari_unetseg.networks import registry, synchronise
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import LossConfig, LossKind, NetworkConfig, TargetConfig

BATCH = 5
SHARES = (slice(0, 2), slice(2, 5))


class Sums:
    """Adds up what the threads bring, as torch.distributed.all_reduce does for processes."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(len(SHARES), timeout=20)
        self.brought: dict[int, Tensor] = {}

    def all_reduce(self, value: Tensor) -> None:
        self.brought[threading.get_ident()] = value
        self.barrier.wait()
        one, other = self.brought.values()
        summed = one + other
        self.barrier.wait()
        value.copy_(summed)


@pytest.fixture
def in_two(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list]:
    """Call a function with each share, in two threads whose sums are joined."""
    monkeypatch.setattr(synchronise.distributed, "all_reduce", Sums().all_reduce)

    def call(function: Callable[[slice], object]) -> list:
        with ThreadPoolExecutor(len(SHARES)) as pool:
            return list(pool.map(function, SHARES))

    return call


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_norm_of_two_is_the_norm_of_the_whole_batch(ndim: int, in_two: Callable[..., list]) -> None:
    """Forward, backward and running statistics, of values whose mean is far from 0."""
    x, wanted = (noise(BATCH, 3, *(4, 6, 5)[:ndim], seed=seed) for seed in (1, 2))
    x = 2 * x + 30
    kind = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d

    def pass_through(norm: nn.Module, share: slice) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        part = x[share].clone().requires_grad_()
        y = norm(part)
        (y * wanted[share]).sum().backward()
        return y.detach(), part.grad, [value.grad for value in norm.parameters()], list(norm.state_dict().values())

    def make() -> nn.Module:
        norm = kind(3)
        nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(3))
        return norm

    def shared(share: slice) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
        return pass_through(synchronise.SharedNorm(make()), share)

    y, of_x, of_parameters, state = pass_through(make(), slice(None))
    parts = in_two(shared)
    torch.testing.assert_close(torch.cat([part[0] for part in parts]), y, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), of_x, rtol=1e-4, atol=1e-4)
    for index, gradient in enumerate(of_parameters):
        torch.testing.assert_close(parts[0][2][index] + parts[1][2][index], gradient, rtol=1e-4, atol=1e-3)
    for part in parts:
        for own, one in zip(part[3], state, strict=True):
            torch.testing.assert_close(own, one, rtol=1e-5, atol=1e-5)


def test_the_norm_by_hand(in_two: Callable[..., list]) -> None:
    """Values 0, 0 | 6, 6, 3: mean 3, variance 7.2 (unbiased 9)."""
    x = torch.tensor([0.0, 0.0, 6.0, 6.0, 3.0]).reshape(BATCH, 1, 1, 1)

    def forward(share: slice) -> tuple[list[float], float, float]:
        norm = synchronise.SharedNorm(nn.BatchNorm2d(1, eps=0.0, momentum=1.0))
        return norm(x[share]).flatten().tolist(), norm.running_mean.item(), norm.running_var.item()

    (first, *statistics), (second, *others) = in_two(forward)
    high = 3 / 7.2**0.5
    assert first == pytest.approx([-high, -high])
    assert second == pytest.approx([high, high, 0.0], abs=1e-6)
    assert statistics == others == pytest.approx([3.0, 9.0])


def test_a_network_keeps_its_state_and_its_order() -> None:
    network = registry.build(NetworkConfig(width=4, depth=2, dropout=0.2))
    before = {name: value.data_ptr() for name, value in network.state_dict().items()}
    parameters = [value.data_ptr() for value in network.parameters()]
    synchronise.synchronise(network, share=SHARES[0], batch=BATCH)
    assert {name: value.data_ptr() for name, value in network.state_dict().items()} == before
    assert list(network.state_dict()) == list(before)
    assert [value.data_ptr() for value in network.parameters()] == parameters
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    assert {type(module) for module in network.modules() if isinstance(module, nn.Dropout)} == {
        synchronise.SharedDropout
    }


def test_in_evaluation_nothing_is_shared() -> None:
    """No other process is there to answer."""
    plain, shared = (registry.build(NetworkConfig(width=4, depth=1, dropout=0.5)).eval() for _ in range(2))
    shared.load_state_dict(plain.state_dict())
    synchronise.synchronise(shared, share=SHARES[0], batch=BATCH)
    x = noise(1, 1, 8, 8)
    assert torch.equal(shared(x), plain(x))


@pytest.mark.parametrize("ndim", [2, 3])
def test_dropout_drops_what_it_would_drop_in_one_process(ndim: int) -> None:
    layout = torch.channels_last if ndim == 2 else torch.channels_last_3d
    x = noise(BATCH, 8, *(2, 5, 4)[-ndim:]).contiguous(memory_format=layout)
    torch.manual_seed(1)
    whole = nn.Dropout(0.4)(x)
    for share in SHARES:
        torch.manual_seed(1)
        own = synchronise.SharedDropout(0.4, share=share, batch=BATCH)(x[share])
        assert torch.equal(own, whole[share])


def test_dropped_maps_are_those_of_one_process() -> None:
    x = noise(BATCH, 8, 5, 4).contiguous(memory_format=torch.channels_last)
    torch.manual_seed(1)
    whole = nn.Dropout2d(0.4)(x)
    for share in SHARES:
        network = nn.Sequential(nn.Dropout2d(0.4))
        synchronise.synchronise(network, share=share, batch=BATCH)
        torch.manual_seed(1)
        assert torch.equal(network(x[share]), whole[share])
        assert torch.equal(network.eval()(x[share]), x[share])


@pytest.mark.parametrize("kind", get_args(LossKind))
def test_the_loss_and_its_gradient_are_those_of_the_whole_batch(kind: str, in_two: Callable[..., list]) -> None:
    """Valid pixels are uneven: a mean of means would be wrong."""
    config = LossConfig.model_validate({"kind": kind})
    target = TargetConfig(kind="distance" if kind == "lovasz_hinge" else "both")  # two classes, or three
    logits, weights = noise(BATCH, target.out_channels, 6, 6), noise(BATCH, 6, 6, seed=1).abs()
    distance = noise(BATCH, 6, 6, seed=2)
    classes = torch.randint(0, target.class_count, (BATCH, 6, 6), generator=torch.Generator().manual_seed(3))
    classes[0], classes[1, :4] = -1, -1

    def run(share: slice, **total: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        part = logits[share].clone().requires_grad_()
        loss = SegmentationLoss(config, target, **total)(part, classes[share], distance[share], weights[share])
        loss.backward()
        return loss.detach(), part.grad

    loss, gradient = run(slice(None))
    parts = in_two(lambda share: run(share, total=synchronise.total))
    assert torch.equal(parts[0][0], parts[1][0])
    torch.testing.assert_close(parts[0][0], loss)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), gradient)
