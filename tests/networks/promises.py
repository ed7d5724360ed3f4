"""What every architecture promises, as checks for the tests of each."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.testing import assert_close

from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig

EDGE = {2: 64, 3: 16}
"""Of the random images that tell BatchNorms what images are like, by dimensions."""


def parameters(architecture: str, **fields: object) -> int:
    """Count the parameters of a network that holds no values."""
    with torch.device("meta"):
        network = build(NetworkConfig.model_validate({"architecture": architecture, **fields}))
    return sum(parameter.numel() for parameter in network.parameters())


def lively(architecture: str, **fields: object) -> Network:
    """Return a narrow network in evaluation mode in which nothing is 0 or 1 as in a fresh one.

    Its BatchNorms know what random images are like, so that signals keep their size through many layers.
    """
    fields = {"architecture": architecture, "width": 2, "out_channels": 3, **fields}
    return deepcopy(_lively(json.dumps(fields, sort_keys=True)))


@cache
def _lively(fields: str) -> Network:
    torch.manual_seed(0)
    network = build(NetworkConfig.model_validate_json(fields))
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.1)
        norm.momentum = 1.0
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and not layer.weight.any():
            nn.init.normal_(layer.weight)
    edges = [max(EDGE[network.config.ndim], step) for step in network.divisor]
    with torch.no_grad():
        network.train().forward_heads(torch.randn(4, network.config.in_channels, *edges))
    for norm in norms:
        norm.momentum = 0.1
        norm.running_var.clamp_(min=0.1)  # what is the same everywhere is not to make much of rounding
    return network.eval()


def check_promises(network: Network, *, edges: tuple[int, ...] = (64, 64), rough: bool = False) -> Heads:
    """Check all that holds on images with these edges; return what the training saw.

    `rough`: where numbers have few digits, a few pixels become others, as the network is very deep or decides between
    values that may be nearly equal (which is the largest, which lie above a threshold).
    """
    x = torch.randn(3, network.config.in_channels, *edges)
    check_sizes(network)
    check_exact(network, x.double())
    check_state(network, x[:1])
    check_precisions(network, x[:2], rough=rough)
    return check_gradients(network, x[: max(2, network.least_batch)])


def check_sizes(network: Network) -> None:
    """Logits have the size of the image, from the smallest on."""
    first, *others = network.divisor
    for edges in ((first, *others), (3 * first, *others)):
        with torch.inference_mode():
            logits = network.forward_heads(torch.zeros(1, network.config.in_channels, *edges)).logits
        assert logits.shape == (1, network.config.out_channels, *edges)


def check_exact(network: Network, x: Tensor) -> None:
    """An image does not know its neighbours in the batch; other ways of asking and of computing agree."""
    network = deepcopy(network).double()
    halos = [(step if size > step else 0, 0) for size, step in zip(x.shape[2:], network.divisor, strict=True)]
    cut = (..., *(slice(front, None) for front, _ in halos))
    with torch.inference_mode():
        together = network(x)
        assert together.shape == (len(x), network.config.out_channels, *x.shape[2:])
        allowed = {"rtol": 0, "atol": 1e-10 * float(together.abs().max())}
        assert_close(network(x[1:2]), together[1:2], **allowed)
        assert_close(network.forward_heads(x).logits, together, **allowed)
        folded = fold_batch_norm(network).to(memory_format=_layout(x))
        assert_close(folded.forward_cropped(_last(x), halos), together[cut], **allowed)
        network.to(memory_format=_layout(x))
        assert_close(network(_last(x)), together, **allowed)


def check_state(network: Network, x: Tensor) -> None:
    """The state makes another network of that name the same; only the counters of BatchNorm are integers."""
    state = network.state_dict()
    assert all(value.is_floating_point() for name, value in state.items() if not name.endswith("num_batches_tracked"))
    other = build(network.config).eval()
    other.load_state_dict(state)
    with torch.inference_mode():
        assert torch.equal(other(x), network(x))


def check_precisions(network: Network, x: Tensor, *, rough: bool) -> None:
    """Channels last gives the same, bfloat16 about the same: by autocast, by converted weights, with folded ones."""

    def check_close(logits: Tensor, *, mean: float, most: float) -> None:
        away = (logits.float() - expected).abs() / expected.abs().max()
        assert away.mean() < mean
        assert rough or away.max() < most

    with torch.inference_mode():
        expected = network(x)
        x = _last(x)
        check_close(deepcopy(network).to(memory_format=_layout(x))(x), mean=1e-4, most=1e-4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            check_close(network(x), mean=0.1, most=0.2)
        for converted in (deepcopy(network), fold_batch_norm(network)):
            logits = converted.to(torch.bfloat16, memory_format=_layout(x))(x.bfloat16())
            assert logits.dtype == torch.bfloat16
            check_close(logits, mean=0.1, most=0.2)


def check_gradients(network: Network, x: Tensor) -> Heads:
    """Every parameter has a finite gradient, in float32 and under autocast; all outputs have the size of the image."""
    network = deepcopy(network).train()
    for dtype in (torch.bfloat16, torch.float32):
        network.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is torch.bfloat16):
            heads = network.forward_heads(x)
        outputs = (heads.logits, *heads.deep, *heads.border)
        assert all(one.shape[2:] == x.shape[2:] for one in outputs)
        torch.stack([one.float().square().mean() for one in outputs]).sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    return heads


def _layout(x: Tensor) -> torch.memory_format:
    return torch.channels_last if x.ndim == 4 else torch.channels_last_3d


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=_layout(x))
