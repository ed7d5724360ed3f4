"""What a person has set in napari's preferences is what docks begin with."""

from __future__ import annotations

import builtins
from pathlib import Path

import pytest

from napari_unetseg.models import library
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.widgets import _settings

napari_settings = pytest.importorskip("napari.settings")
MANIFEST = Path(__file__).parents[2] / "napari.yaml"


@pytest.fixture
def chosen(request):
    """The preferences of the plugin as a new user has them, in a folder of this test."""
    if not hasattr(napari_settings, "get_plugin_settings"):
        pytest.skip("preferences of plugins begin with napari 0.9")
    request.getfixturevalue("plugin_settings")
    from npe2 import PluginManifest

    request.getfixturevalue("npe2pm").register(PluginManifest.from_file(MANIFEST))
    yield napari_settings.get_plugin_settings("napari-unetseg")
    library.prefer_folder(None)


def test_a_new_user_has_the_defaults(chosen) -> None:
    assert _settings.tiling() == TilingConfig()
    _settings.use_model_folder()
    assert library._preferred["folder"] is None


def test_what_is_chosen_is_taken(chosen) -> None:
    chosen.computing.device, chosen.computing.tile, chosen.computing.precision = "cuda:1", 256, "float32"
    assert _settings.tiling() == TilingConfig(device="cuda:1", tile=256, precision="float32")


def test_a_device_that_is_none_leaves_the_rest(chosen) -> None:
    chosen.computing.device, chosen.computing.tile = "gpu", 256
    assert _settings.tiling() == TilingConfig(tile=256)


def test_the_model_folder_is_used_unless_the_environment_names_one(chosen, tmp_path, monkeypatch) -> None:
    chosen.models.folder = str(tmp_path / "shared")
    _settings.use_model_folder()
    assert library.user_folder() != tmp_path / "shared"  # $UNETSEG_MODELS is set in every test
    monkeypatch.delenv("UNETSEG_MODELS")
    assert library.user_folder() == tmp_path / "shared"


def test_without_preferences_of_plugins_there_are_the_defaults(monkeypatch) -> None:
    """napari 0.8."""
    real = builtins.__import__

    def refuse(name, globals_=None, locals_=None, fromlist=(), level=0):
        if "get_plugin_settings" in (fromlist or ()):
            raise ImportError(name)
        return real(name, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert _settings.tiling() == TilingConfig()
    _settings.use_model_folder()
