"""The architectures by name."""

from __future__ import annotations

import torch

from napari_unetseg.networks.network import Network
from napari_unetseg.networks.unet import UNet
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

__all__ = ["Network", "build", "describe", "divisor", "names"]

_ARCHITECTURES: dict[str, type[Network]] = {"unet": UNet}


def build(config: NetworkConfig) -> Network:
    """Return a freshly initialised network of the architecture that `config` names."""
    if config.architecture not in _ARCHITECTURES:
        raise InputError(f"unknown architecture '{config.architecture}'; known: {', '.join(names())}")
    return _ARCHITECTURES[config.architecture](config)


def names() -> list[str]:
    """Names of all architectures, sorted."""
    return sorted(_ARCHITECTURES)


def describe() -> list[dict[str, str | int]]:
    """Say of each architecture what it is, where it comes from, and how many parameters it has by default."""
    return [
        {
            "name": name,
            "summary": _ARCHITECTURES[name].summary,
            "reference": _ARCHITECTURES[name].reference,
            "parameters": _parameters(NetworkConfig(architecture=name)),
        }
        for name in names()
    ]


def divisor(config: NetworkConfig) -> tuple[int, ...]:
    """Return what the network's input must be a multiple of, per spatial axis."""
    with torch.device("meta"):
        return build(config).divisor


def _parameters(config: NetworkConfig) -> int:
    with torch.device("meta"):  # shapes only, no memory
        return sum(parameter.numel() for parameter in build(config).parameters())
