"""`--set`: into the recipe, to the networks that know it, and told to a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.cli.layers import RecipeLayers
from napari_unetseg.cli.network_settings import assignments, share_out, takers
from napari_unetseg.models.file import read_card
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


def test_names_and_values() -> None:
    assert assignments(["attention=true", " flat-levels = 1 ", "attention=false"]) == {
        "attention": "false",
        "flat_levels": "1",
    }
    assert assignments(None) == {}
    for wrong in ("attention", "=true", "attention="):
        with pytest.raises(InputError, match="--set takes NAME=VALUE, such as attention=true; got"):
            assignments([wrong])


def test_they_win_over_the_file_key_by_key(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[network]\ndropout = 0.5\n[network.settings]\ngroups = 2\nattention = false\n")
    network = RecipeLayers({}, file=file, patch=None, settings=["attention=true", "dropout=0.1"]).recipe(None).network
    assert network.settings == {"attention": True, "groups": 2}
    assert network.dropout == 0.1


def test_they_are_those_of_the_architecture_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[network]\narchitecture = 'gcn'\n")
    assert RecipeLayers({}, file=file, patch=None, settings=["kernel=7"]).recipe(None).network.settings == {"kernel": 7}
    given = {"network": {"architecture": "unet"}}
    with pytest.raises(InputError, match="network 'unet', setting 'kernel': there is none"):
        RecipeLayers(given, file=file, patch=None, settings=["kernel=7"]).recipe(None)


@pytest.mark.parametrize("settings", [None, ["attention=true"]])
def test_an_architecture_as_papers_spell_it_is_told_by_its_name(tmp_path: Path, settings) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[network]\narchitecture = 'UNet++'\n")
    given = {"network": {"architecture": "unet++"}}
    for layers in (
        RecipeLayers({}, file=file, patch=None, settings=settings),
        RecipeLayers(given, file=None, patch=None),
    ):
        with pytest.raises(
            InputError, match=r"(?i)^unknown architecture 'unet\+\+'; .*did you mean 'unet_plus_plus'\?$"
        ):
            layers.recipe(None)


@pytest.mark.parametrize("settings", [None, ["attention=true"]])
def test_a_network_that_is_no_table_in_the_file_is_refused(tmp_path: Path, settings) -> None:
    file = tmp_path / "r.toml"
    file.write_text("network = 'segnet'\n")
    with pytest.raises(InputError, match=r"network: .*got 'segnet'"):
        RecipeLayers({}, file=file, patch=None, settings=settings).recipe(None)


def test_a_key_in_the_wrong_table_is_told_its_place(tmp_path: Path) -> None:
    file = tmp_path / "r.toml"
    file.write_text("[network]\nattention = true\n")
    with pytest.raises(InputError, match=r"key 'network\.attention': it belongs under \[network\.settings\]; move it"):
        RecipeLayers({}, file=file, patch=None).recipe(None)
    file.write_text("[network]\nspeed = 3\n")
    with pytest.raises(InputError, match=r"unknown key 'network\.speed'; known here: "):
        RecipeLayers({}, file=file, patch=None).recipe(None)


def test_what_has_an_option_is_told_it() -> None:
    for word, option in (("width=8", "--width 8"), ("ndim=3", "--ndim 3"), ("network=segnet", "--network segnet")):
        with pytest.raises(InputError, match=f"^--set {word}: there is an option for that; give {option}$"):
            RecipeLayers({}, file=None, patch=None, settings=[word]).recipe(None)
    with pytest.raises(InputError, match=r"give --width 8$"):
        share_out({"width": "8"}, configs=[NetworkConfig()])


def test_each_network_gets_what_it_knows() -> None:
    configs = [
        NetworkConfig(settings={"groups": 2}),
        NetworkConfig(architecture="fusionnet"),
        NetworkConfig(architecture="enet"),
    ]
    unet, fusionnet, enet = share_out({"skips": "sum", "depth": "3"}, configs=configs)
    assert (unet.settings, unet.depth) == ({"groups": 2, "skips": "sum"}, 3)
    assert fusionnet.settings == {"skips": "sum"}
    assert enet == configs[2]
    with pytest.raises(InputError, match=r"network 'unet, fusionnet, enet', setting 'skip': .* mean 'skips'"):
        share_out({"skip": "sum"}, configs=configs)
    with pytest.raises(InputError, match=r"--set dropout: .* less than or equal to 0.9"):
        share_out({"dropout": "2"}, configs=configs)


def test_a_network_is_trained_as_it_is_set(run, images, truth) -> None:
    words = ("--width", 4, "--set", "depth=2", "--set", "attention=yes", "--set", "groups=2", "--patch", 32)
    result = run("train", images, truth, "-o", "m.safetensors", "--steps", 1, "--val", 0, "--batch", 1, *words)
    assert result.code == 0, result.err
    network = read_card("m.safetensors").network
    assert (network.depth, network.settings) == (2, {"attention": True, "groups": 2})


def test_the_settings_of_a_network_are_listed(run) -> None:
    shown = run("models", "networks", "unet").out
    for word in ("attention", "true, false", "1 to 64", "concatenate, sum", "Dropout rate"):
        assert word in shown
    (entry,) = run("models", "networks", "gcn", "--json").json["networks"]
    assert [setting["name"] for setting in entry["settings"]] == ["encoder", "kernel"]
    assert "nothing to set" in run("models", "networks", "enet").out
    assert run("models", "networks", "unett").code == 2


def test_who_takes_a_setting_is_told_where_not_all_do() -> None:
    configs = [NetworkConfig(architecture=name) for name in ("unet", "gcn", "dfn")]
    texts = {"encoder": "resnet18", "attention": "true"}
    assert takers(texts, configs=configs) == [
        "--set encoder=resnet18 is for gcn, dfn only, the others have no such setting",
        "--set attention=true is for unet only, the others have no such setting",
    ]
    assert takers({"encoder": "resnet18"}, configs=configs[1:]) == []
