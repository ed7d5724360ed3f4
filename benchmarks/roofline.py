"""How fast a network could be on a device: each layer at its arithmetic or its memory traffic, whichever is slower."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import nn

from napari_unetseg.networks import registry
from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.schema.config import NetworkConfig

EDGE = 1024
"""Of the input that layers are counted with; no halo."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a device reached in this run."""

    flops: float
    """Operations a second in the largest matrix product."""
    bandwidth: float
    """Bytes a second read and written in the largest copy."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer costs for an image of `EDGE` x `EDGE` pixels."""

    kind: str
    flops: float
    bytes: float

    def seconds(self, device: Device) -> float:
        """Return the least time the layer can take."""
        return max(self.flops / device.flops, self.bytes / device.bandwidth)


def megapixels_per_second(config: NetworkConfig, *, device: Device, dtype: torch.dtype, is_fused: bool) -> float:
    """Return the pixels (10^6) a second at which every layer is at its limit.

    Each tensor is moved once per layer that reads or writes it, concatenations are copied. `is_fused`: ReLU costs
    nothing, else it reads and writes its map once more.
    """
    layers = layers_of(config, dtype=dtype)
    kinds = {"convolution", "pooling", "concatenation"} | (set() if is_fused else {"relu"})
    return EDGE**2 / 1e6 / sum(layer.seconds(device) for layer in layers if layer.kind in kinds)


def layers_of(config: NetworkConfig, *, dtype: torch.dtype) -> list[Layer]:
    """Return the layers of the network with its BatchNorm folded, in the order in which they run."""
    item, found = dtype.itemsize, list[Layer]()

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        moved = item * (inputs[0].numel() + output.numel())
        match module:
            case nn.Conv2d() | nn.ConvTranspose2d():
                weights = module.weight.numel()
                positions = max(inputs[0][0, 0].numel(), output[0, 0].numel())
                if isinstance(module, nn.ConvTranspose2d):  # its kernel is its stride: one input pixel each
                    positions = inputs[0][0, 0].numel()
                    found.append(Layer("concatenation", 0, 4 * item * output.numel()))  # map and skip, read and written
                found.append(Layer("convolution", 2.0 * positions * weights, moved + item * weights))
            case nn.MaxPool2d():
                found.append(Layer("pooling", 0, moved))
            case nn.ReLU():
                found.append(Layer("relu", 0, moved))

    with torch.device("meta"), torch.inference_mode():
        network = fold_batch_norm(registry.build(config))
        hooks = [module.register_forward_hook(note) for module in network.modules()]
        network(torch.zeros(1, config.in_channels, EDGE, EDGE))
    for hook in hooks:
        hook.remove()
    return found


def measure(device: torch.device, *, dtype: torch.dtype, is_small: bool) -> Device:
    """Measure a matrix product and a copy."""
    edge, count = (1024, 2**26) if is_small else (8192, 2**32)
    return Device(_product(edge, device=device, dtype=dtype), _copy(count, device=device))


def _product(edge: int, *, device: torch.device, dtype: torch.dtype) -> float:
    left, right, product = (torch.randn(edge, edge, device=device, dtype=dtype) for _ in range(3))
    return 2 * edge**3 / best_of(lambda: torch.mm(left, right, out=product), device=device)


def _copy(count: int, *, device: torch.device) -> float:
    source, target = (torch.ones(count, device=device, dtype=torch.uint8) for _ in range(2))
    return 2 * count / best_of(lambda: target.copy_(source), device=device)


def best_of(run: Callable[[], object], *, device: torch.device, rounds: int = 10) -> float:
    """Return the seconds of the fastest of several runs, after two to warm up."""
    return min(list(times_of(run, device=device, rounds=rounds + 2))[2:])


def times_of(run: Callable[[], object], *, device: torch.device, rounds: int) -> Iterator[float]:
    """Yield the seconds of each run, until the device has done its work."""
    for _ in range(rounds):
        synchronize(device)
        began = time.perf_counter()
        run()
        synchronize(device)
        yield time.perf_counter() - began


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
