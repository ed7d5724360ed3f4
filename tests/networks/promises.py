"""What is asked of every architecture."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from napari_unetseg.networks.fold import fold_batch_norm
from napari_unetseg.networks.network import Heads, Network
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


def parameters(**settings: object) -> int:
    """Return the parameters of a network, which is never made."""
    with torch.device("meta"):
        network = build(NetworkConfig.model_validate(settings))
    return sum(parameter.numel() for parameter in network.parameters())


def lively(**settings: object) -> Network:
    """Return a narrow network in evaluation mode whose BatchNorms know what random images are like."""
    torch.manual_seed(0)
    network = build(NetworkConfig.model_validate({"width": 2, "out_channels": 3, **settings}))
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    edge = max(64, *network.divisor)
    with torch.no_grad():
        network.train().forward_heads(torch.randn(4, network.config.in_channels, edge, edge))
    for norm in norms:
        norm.momentum = 0.1
        norm.running_var.clamp_(min=0.1)  # what is the same everywhere is not to make much of rounding
    return network.eval()


def check_sizes(network: Network) -> None:
    """Logits have the size of the image, from the smallest on."""
    channels = (network.config.in_channels, network.config.out_channels)
    for edges in (network.divisor, (3 * network.divisor[0], network.divisor[1])):
        with torch.inference_mode():
            assert network(torch.zeros(1, channels[0], *edges)).shape == (1, channels[1], *edges)


def check_gradients(network: Network, *, edge: int = 64) -> Heads:
    """Every parameter learns; return what the training saw, all at the size of the image."""
    network = deepcopy(network).train()
    heads = network.forward_heads(torch.randn(2, network.config.in_channels, edge, edge))
    outputs = (heads.logits, *heads.deep, *heads.border)
    assert all(output.shape[2:] == (edge, edge) for output in outputs)
    total(outputs).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    return heads


def check_batch(network: Network, *, edge: int = 64) -> None:
    """In evaluation mode an image does not know its neighbours in the batch, and both ways of asking agree."""
    network = deepcopy(network).double()
    x = torch.randn(3, network.config.in_channels, edge, edge, dtype=torch.float64)
    with torch.inference_mode():
        together = network(x)
        assert torch.allclose(network.forward_heads(x).logits, together)
        assert (together[1:2] - network(x[1:2])).abs().max() <= 1e-10 * together.abs().max()


def check_precisions(network: Network, *, edge: int = 64) -> None:
    """Channels last and bfloat16 give about the same, in training and in prediction."""
    x = torch.randn(2, network.config.in_channels, edge, edge).contiguous(memory_format=torch.channels_last)
    halos = [(network.divisor[0], 0), (0, 0)] if edge > network.divisor[0] else [(0, 0), (0, 0)]
    with torch.inference_mode():
        expected = network.forward_cropped(x.contiguous(), halos)
        scale = expected.abs().max()
        exact = deepcopy(network).double()
        plain = exact.forward_cropped(x.double().contiguous(), halos)
        same = exact.to(memory_format=torch.channels_last).forward_cropped(x.double(), halos)
        assert (same - plain).abs().max() <= 1e-10 * plain.abs().max()
        low = fold_batch_norm(network).to(torch.bfloat16).forward_cropped(x.bfloat16(), halos)
        assert low.dtype == torch.bfloat16
        assert (low.float() - expected).abs().mean() < 0.1 * scale
    network = deepcopy(network).train()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heads = network.forward_heads(x)
    total((heads.logits, *heads.deep, *heads.border)).backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in network.parameters())


def total(outputs: tuple[Tensor, ...]) -> Tensor:
    """Return a sum that depends on all of the outputs."""
    return torch.stack([output.float().square().mean() for output in outputs]).sum()
