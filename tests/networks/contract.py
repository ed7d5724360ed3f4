"""What every architecture keeps: numbers of parameters, independence of the batch, low precision, saved weights."""

from __future__ import annotations

from copy import deepcopy

import torch

from napari_unetseg.networks.network import Network
from napari_unetseg.networks.registry import build
from napari_unetseg.schema.config import NetworkConfig


def parameters(architecture: str, **fields: object) -> int:
    """Count the parameters of a network that holds no values."""
    with torch.device("meta"):
        network = build(NetworkConfig.model_validate({"architecture": architecture, **fields}))
    return sum(parameter.numel() for parameter in network.parameters())


def tiny(architecture: str, **fields: object) -> Network:
    """A narrow network in evaluation mode with lively BatchNorm statistics."""
    torch.manual_seed(0)
    fields = {"width": 2, "out_channels": 3, **fields}
    network = build(NetworkConfig.model_validate({"architecture": architecture, **fields}))
    for name, value in network.named_buffers():
        if name.endswith("running_mean"):
            value.normal_(std=0.1)
    return network.eval()


def has_finite_gradients(network: Network, x: torch.Tensor) -> bool:
    """Tell whether a training step on `x` reaches every parameter."""
    heads = network.train().forward_heads(x)
    outputs = (heads.logits, *heads.deep, *heads.border)
    torch.stack([logits.square().mean() for logits in outputs]).sum().backward()
    return all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def check_prediction(network: Network, x: torch.Tensor) -> None:
    """A sample gives the same alone, from a copy, channels last and nearly so in bfloat16; `x` holds three."""
    layout = torch.channels_last if x.ndim == 4 else torch.channels_last_3d
    with torch.inference_mode():
        expected = network(x)
        largest = float(expected.abs().max())
        assert expected.shape == (len(x), network.config.out_channels, *x.shape[2:])
        assert torch.allclose(network(x[1:2]), expected[1:2], atol=1e-5 * largest)
        again = build(network.config).eval()
        again.load_state_dict(network.state_dict())
        assert torch.equal(again(x), expected)
        last = deepcopy(network).to(memory_format=layout)  # type: ignore[call-overload]
        assert torch.allclose(last(x.to(memory_format=layout)), expected, atol=1e-5 * largest)
        low = last.to(torch.bfloat16)(x.to(torch.bfloat16, memory_format=layout)).float()
        assert (low - expected).abs().max() < 0.2 * largest
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heads = network.train().forward_heads(x)
        sum(logits.float().mean() for logits in (heads.logits, *heads.deep)).backward()
    network.zero_grad()
    network.eval()
