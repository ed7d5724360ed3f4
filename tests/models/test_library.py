"""Models are found by name or path, imported whole, and never put in another's place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_unetseg.models import file, library
from napari_unetseg.schema.errors import ModelFileError


@pytest.fixture
def shelf(tmp_path, monkeypatch, card, weights):
    """A library with one bundled model, 'nuclei', and an empty user's folder that does not exist yet."""
    bundled = tmp_path / "package" / "nuclei.safetensors"
    file.save(bundled, card=card.replace(name="nuclei"), weights=weights)
    monkeypatch.setattr(library, "bundled", lambda: {"nuclei": bundled})
    monkeypatch.setenv("UNETSEG_MODELS", str(tmp_path / "mine"))
    return tmp_path


@pytest.fixture
def model(tmp_path, card, weights):
    path = tmp_path / "downloads" / "yeast.safetensors"
    file.save(path, card=card, weights=weights)
    return path


def test_bundled_models_load():
    for path in library.bundled().values():
        card, weights = file.load(path)
        assert weights
        assert card.licence


def test_looking_makes_no_folder(shelf):
    assert library.available().keys() == {"nuclei"}
    assert not library.user_folder().exists()


def test_an_imported_model_is_found_by_name_and_is_the_same_file(shelf, model):
    path = library.import_model(model)
    assert path == shelf / "mine" / "yeast.safetensors"
    assert path.read_bytes() == model.read_bytes()
    assert list(library.available()) == ["nuclei", "yeast"]
    assert library.find("yeast") == path


def test_import_under_another_name(shelf, model):
    assert library.import_model(model, name="my yeast v2.1").name == "my yeast v2.1.safetensors"
    assert library.find("my yeast v2.1").is_file()


def test_find_takes_paths_too(shelf, model):
    assert library.find(model) == model
    assert library.find(str(model)) == model


def test_a_name_wins_over_a_folder_of_that_name(shelf, tmp_path, monkeypatch):
    (tmp_path / "nuclei").mkdir()
    monkeypatch.chdir(tmp_path)
    assert library.find("nuclei").name == "nuclei.safetensors"


def test_an_unknown_name_lists_what_there_is(shelf, model):
    library.import_model(model)
    with pytest.raises(ModelFileError, match=r"'nucle'.*nuclei, yeast; did you mean 'nuclei'\?"):
        library.find("nucle")
    with pytest.raises(ModelFileError, match=r"no such model file.*nuclei, yeast"):
        library.find("somewhere/else.safetensors")
    with pytest.raises(ModelFileError, match=r"known: nuclei, yeast\. Or give the path"):
        library.find("zzz")


@pytest.mark.parametrize("name", ["nuclei", "Nuclei", "NUCLEI"])
def test_the_name_of_a_bundled_model_is_refused(shelf, model, name):
    with pytest.raises(ModelFileError, match="comes with the package already"):
        library.import_model(model, name=name)
    assert not library.user_folder().exists()


def test_a_name_in_use_is_refused_and_the_first_model_stays(shelf, model, card, weights):
    first = library.import_model(model).read_bytes()
    file.save(model, card=card.replace(name="other"), weights=weights)
    with pytest.raises(ModelFileError, match="in your library already"):
        library.import_model(model)
    assert library.find("yeast").read_bytes() == first


def test_a_file_put_in_the_folder_by_hand_cannot_hide_a_bundled_model(shelf, model):
    (shelf / "mine").mkdir()
    (shelf / "mine" / "nuclei.safetensors").write_bytes(model.read_bytes())
    assert library.find("nuclei").parent.name == "package"


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "a/b", "a\\b", ".hidden", "x" * 200, "end.", "end ", "nul\x00", "c:x"]
)
def test_names_that_could_leave_the_folder_are_refused(shelf, model, name):
    with pytest.raises(ModelFileError, match="cannot name a model"):
        library.import_model(model, name=name)
    assert not library.user_folder().exists()


def test_a_damaged_model_is_not_imported(shelf, model):
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    with pytest.raises(ModelFileError, match="checksum does not match"):
        library.import_model(model)
    assert not library.user_folder().exists()


def test_export_to_a_file_a_folder_and_never_over_something(shelf, weights):
    target = library.export_model("nuclei", shelf / "copy.safetensors")
    np.testing.assert_array_equal(file.load(target)[1]["scale"], weights["scale"])
    (shelf / "folder").mkdir()
    assert library.export_model("nuclei", shelf / "folder") == shelf / "folder" / "nuclei.safetensors"
    assert library.export_model("nuclei", shelf / "plain") == shelf / "plain.safetensors"
    with pytest.raises(ModelFileError, match="exists already"):
        library.export_model("nuclei", shelf / "copy.safetensors")


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "/home/ada/.local/share/napari-unetseg/models"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/napari-unetseg/models"),
        ("darwin", {}, "/home/ada/Library/Application Support/napari-unetseg/models"),
        ("win32", {"LOCALAPPDATA": "/Local"}, "/Local/napari-unetseg/models"),
        ("linux", {"UNETSEG_MODELS": "/lab/models"}, "/lab/models"),
    ],
)
def test_the_folder_is_where_each_system_keeps_data(monkeypatch, platform, variables, expected):
    for name in ("UNETSEG_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/ada"))
    monkeypatch.setattr(library.sys, "platform", platform)
    assert library.user_folder() == Path(expected)


def test_the_checkpoint_of_an_interrupted_training_is_no_model(shelf, model):
    library.import_model(model, name="cells")
    (shelf / "mine" / "cells.checkpoint.safetensors").write_bytes(b"half done")
    assert list(library.available()) == ["nuclei", "cells"]


@pytest.mark.parametrize("name", ["", "../x", "cells", "Nuclei"])
def test_a_new_model_needs_a_free_name(shelf, model, name):
    library.import_model(model, name="cells")
    library.check_new_name("cells 2")
    with pytest.raises(ModelFileError, match=r"cannot name a model|already; choose another name"):
        library.check_new_name(name)


def test_the_default_model_comes_first():
    assert next(iter(library.bundled())) == library.DEFAULT
