"""A model ready to use: its card and its network with the weights in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from napari_unetseg.models import file, library
from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError, ModelFileError
from napari_unetseg.schema.words import counted


@dataclass(frozen=True)
class Model:
    """What `segment` runs and `train` starts from."""

    card: ModelCard
    network: Network
    path: Path


def load_model(name_or_path: str | Path) -> Model:
    """Load a bundled model, one of the user's folder, or a model file; `ModelFileError` when it cannot be trusted."""
    path = library.find(name_or_path)
    card, weights = file.load(path)
    _check_weights(card.network, weights, path=path)
    network = registry.build(card.network)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)
    return Model(card=card, network=network.eval(), path=path)


def weights_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    """Return the network's floating-point state as float32 arrays on the host, so without BatchNorm's step counters."""
    state = network.state_dict()
    return {
        name: value.detach().to("cpu", torch.float32).numpy()
        for name, value in state.items()
        if value.is_floating_point()
    }


def _check_weights(config: NetworkConfig, weights: Mapping[str, np.ndarray], *, path: Path) -> None:
    """Compare names and shapes before anything of the network's size is allocated: the file bounds the memory."""
    try:
        with torch.device("meta"):
            state = registry.build(config).state_dict()
    except InputError as error:
        raise ModelFileError(f"{path}: {error}") from error
    wanted = {name: tuple(value.shape) for name, value in state.items() if value.is_floating_point()}
    found = {name: array.shape for name, array in weights.items()}
    problems = [f"missing {name}" for name in wanted.keys() - found.keys()]
    problems += [f"unexpected {name}" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} is {found[name]}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    if problems:
        listed = "; ".join(sorted(problems)[:5])
        raise ModelFileError(
            f"{path}: the weights do not fit the architecture '{config.architecture}' of its card "
            f"({counted(len(problems), 'problem')}: {listed}); export the model again"
        )
