"""A model set to something else after training gives what its network would, and says so in its card."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.networks.promises import lively

from napari_unetseg.models import file
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import LONGEST_NAME, ModelCard
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.schema.errors import InputError, ModelFileError
from napari_unetseg.tasks.adjust import export_adjusted
from napari_unetseg.tasks.model import load_model, weights_of


def saved(network: Network, path: Path, *, name: str = "mine") -> Path:
    card = ModelCard(name=name, network=network.config, target=TargetConfig(kind="boundary"))
    file.save(path, card=card, weights=weights_of(network))
    return path


def test_a_long_name_makes_room_for_what_the_model_is_set_to(tmp_path: Path) -> None:
    path = saved(lively("unet_plus_plus"), tmp_path / "m.safetensors", name="x" * LONGEST_NAME)
    cut = file.read_card(export_adjusted(path, tmp_path / "cut", texts={"keep": "2"}))
    assert cut.name == "x" * (LONGEST_NAME - 7) + " keep 2"


def test_a_model_that_is_cut_down_gives_the_maps_of_the_shallower_head(tmp_path: Path) -> None:
    network = lively("unet_plus_plus")
    whole = saved(network, tmp_path / "whole.safetensors")
    cut = load_model(export_adjusted(whole, tmp_path / "cut", texts={"keep": "2"}))
    assert cut.path == tmp_path / "cut.safetensors"
    assert (cut.card.name, cut.card.network.settings) == ("mine keep 2", {"keep": 2})
    x = torch.randn(1, 1, 32, 48)
    with torch.inference_mode():
        assert torch.equal(cut.network(x), network.forward_heads(x).deep[1])
        assert torch.equal(load_model(whole).network(x), network(x))
    assert cut.network.halo < network.halo
    with pytest.raises(ModelFileError, match="exists already"):
        export_adjusted(whole, cut.path, texts={"keep": "1"})


def test_a_copy_of_a_copy_is_named_by_what_it_is_set_to_itself(tmp_path: Path) -> None:
    whole = saved(lively("unet_plus_plus"), tmp_path / "whole.safetensors")
    first = export_adjusted(whole, tmp_path / "first", texts={"keep": "2"})
    second = export_adjusted(first, tmp_path / "second", texts={"keep": "4"})
    assert file.read_card(second).name == "mine keep 4"
    assert export_adjusted(whole, second, texts={"keep": "1"}, overwrite=True) == second
    assert file.read_card(second).name == "mine keep 1"
    with pytest.raises(ModelFileError, match="is the model itself"):
        export_adjusted(whole, whole, texts={"keep": "1"}, overwrite=True)


@pytest.mark.parametrize(
    ("architecture", "settings", "texts", "message"),
    [
        (
            "unet",
            {},
            {"activation": "prelu"},
            "of a trained 'unet' nothing can be set, not 'activation'.* --set activation=prelu",
        ),
        (
            "unet_plus_plus",
            {},
            {"deep_supervision": "false"},
            "'unet_plus_plus' keep can be set, not 'deep_supervision'",
        ),
        ("segnet_basic", {}, {"keep": "2"}, "network 'segnet_basic', setting 'keep': there is none"),
        ("unet_plus_plus", {}, {"keep": "5"}, "setting 'keep': input should be less than or equal to 4, got 5"),
        ("unet_plus_plus", {"deep_supervision": False}, {"keep": "2"}, "2 needs deep_supervision"),
    ],
)
def test_what_the_weights_are_learnt_for_stays(tmp_path: Path, architecture, settings, texts, message) -> None:
    path = saved(lively(architecture, settings=settings), tmp_path / "m.safetensors")
    with pytest.raises(InputError, match=message):
        export_adjusted(path, tmp_path / "other", texts=texts)
    assert not (tmp_path / "other.safetensors").exists()
