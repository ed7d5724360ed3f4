"""A model file must fit its own card before anything large is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_unetseg.models import file
from napari_unetseg.networks import registry
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import ModelFileError
from napari_unetseg.tasks.model import load_model, weights_of

CONFIG = NetworkConfig(width=3, depth=1)
CARD = ModelCard(name="small", network=CONFIG)


def write(path: Path, *, card: ModelCard = CARD, **changes: np.ndarray | None) -> Path:
    weights = weights_of(registry.build(CONFIG)) | changes
    file.save(path, card=card, weights={name: value for name, value in weights.items() if value is not None})
    return path


def test_round_trip_gives_the_same_output(tmp_path: Path) -> None:
    network = registry.build(CONFIG).eval()
    path = tmp_path / "m.safetensors"
    file.save(path, card=CARD, weights=weights_of(network))
    image = torch.rand(1, 1, 16, 16)
    with torch.inference_mode():
        assert torch.equal(load_model(path).network(image), network(image))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head.weight": None}, "missing head.weight"),
        ({"spare": np.ones(2, np.float32)}, "unexpected spare"),
        ({"head.bias": np.ones(9, np.float32)}, r"head.bias is \(9,\), not \(4,\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(tmp_path: Path, changes: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        load_model(write(tmp_path / "m.safetensors", **changes))


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    card = CARD.replace(network=CONFIG.replace(architecture="builtins_eval"))
    with pytest.raises(ModelFileError, match="unknown architecture"):
        load_model(write(tmp_path / "m.safetensors", card=card))


def test_a_card_of_billions_of_parameters_allocates_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Had the network been built before the comparison, this would need 23 GB."""
    card = CARD.replace(network=CONFIG.replace(ndim=3, width=256, depth=5))
    path = write(tmp_path / "m.safetensors", card=card)
    built = []
    build = registry.build

    def watched(config: NetworkConfig) -> torch.nn.Module:
        network = build(config)
        built.append({parameter.device.type for parameter in network.parameters()})
        return network

    monkeypatch.setattr(registry, "build", watched)
    with pytest.raises(ModelFileError, match="do not fit"):
        load_model(path)
    assert built == [{"meta"}]
