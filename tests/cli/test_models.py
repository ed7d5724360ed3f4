"""`models`: listing, showing, importing and exporting."""

from __future__ import annotations

from pathlib import Path

from tests.networks.promises import lively

from napari_unetseg.models import file
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.tasks.model import weights_of


def test_import_makes_a_model_known_by_name(run, model, images):
    result = run("models", "import", model, "--name", "squares", "--json")
    assert result.code == 0, result.err
    assert result.json["name"] == "squares"
    entries = {entry["name"]: entry for entry in run("models", "list", "--json").json["models"]}
    assert entries["squares"]["origin"] == "yours"
    assert entries["squares"]["axes"] == "YX"
    assert run("segment", images / "a.tif", "-o", "out", "-m", "squares").code == 0


def test_list_is_for_people_too(run, model):
    assert run("models", "list").code == 0
    run("models", "import", model)
    assert "threshold" in run("models", "list").out


def test_a_damaged_model_in_the_library_is_named(run, tmp_path):
    (tmp_path / ".models").mkdir()
    (tmp_path / ".models" / "broken.safetensors").write_bytes(b"no model")
    result = run("models", "list", "--json")
    assert result.code == 1
    failed = [line for line in result.err.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 1
    assert "broken" in failed[0]


def test_show_tells_the_card(run, model):
    assert run("models", "show", model, "--json").json["name"] == "threshold"
    short = run("models", "show", model).out
    assert "unet 2D, width 4, depth 2" in short
    assert "YX (plane by plane); 1 channel: signal" in short
    assert "network.architecture" not in short
    for option in ("--full", "-v"):
        assert "network.architecture" in run("models", "show", model, option).out
    assert run("models", "show", "nothing-like-it").code == 2


def test_export_copies_and_replaces_only_when_told(run, model):
    run("models", "import", model)
    result = run("models", "export", "threshold", "copy.safetensors")
    assert result.code == 0, result.err
    assert Path("copy.safetensors").read_bytes() == model.read_bytes()
    refused = run("models", "export", "threshold", "copy.safetensors")
    assert refused.code == 2
    assert "give --overwrite" in " ".join(refused.err.split())
    Path("copy.safetensors").write_bytes(b"other")
    assert run("models", "export", "threshold", "copy.safetensors", "--overwrite").code == 0
    assert Path("copy.safetensors").read_bytes() == model.read_bytes()


def test_export_says_what_a_copy_is_set_to(run, tmp_path):
    network = lively("unet_plus_plus")
    card = ModelCard(name="upp", network=network.config, target=TargetConfig(kind="boundary"))
    file.save(tmp_path / "upp.safetensors", card=card, weights=weights_of(network))
    result = run("models", "export", "upp.safetensors", "cut.safetensors", "--set", "keep=2")
    assert result.code == 0, result.err
    assert "upp.safetensors -> cut.safetensors, set to keep=2" in result.out
    assert "the scores in its card are those of the model before" in result.err


def test_what_is_no_model_is_not_imported(run):
    Path("x.safetensors").write_bytes(b"\x89PNG and so on")
    result = run("models", "import", "x.safetensors")
    assert result.code == 2
    assert "x.safetensors" in result.err


def test_networks_are_listed(run):
    names = [entry["name"] for entry in run("models", "networks", "--json").json["networks"]]
    assert "unet" in names
    lines = run("models", "networks").out.splitlines()
    tiles = {name: next(line for line in lines if line.startswith(f"{name} ")) for name in ("unet", "gcn")}
    assert " 1,942,340 " in tiles["unet"]
    assert " exact " in tiles["unet"]
    assert " blended " in tiles["gcn"]


def test_one_network_is_told_with_what_it_is_good_for(run):
    lines = run("models", "networks", "gcn").out.splitlines()
    assert lines[0].startswith("gcn: Very large thin kernels")
    assert lines[1].startswith("Large objects, and classes")
    assert any(line.startswith("kernel ") for line in lines)
