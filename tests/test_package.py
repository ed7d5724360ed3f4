"""What is installed is what is here: version, public names, entry points, manifest, samples."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import napari_unetseg as us
from napari_unetseg import sample_data
from napari_unetseg.schema.config import Precision, Recipe, TilingConfig

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def distribution() -> metadata.Distribution:
    try:
        return metadata.distribution("napari-unetseg")
    except metadata.PackageNotFoundError:
        pytest.skip("napari-unetseg is not installed; pip install '.[test]'")


@pytest.fixture(scope="module")
def manifest():
    npe2 = pytest.importorskip("npe2", reason="needs npe2; pip install '.[test]'")
    return npe2.PluginManifest.from_file(ROOT / "napari.yaml")


def test_public_names_are_there_at_first_use():
    assert us.Recipe is Recipe
    for name in ("segment", "train", "evaluate"):
        assert callable(getattr(us, name))
        assert getattr(us.tasks, name).__name__ == f"napari_unetseg.tasks.{name}"
    assert set(dir(us)) == set(us.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'napari_unetseg' has no attribute 'sgement'"):
        us.sgement  # noqa: B018  # the access is the test


def test_the_version_has_one_source(distribution):
    assert distribution.version == us.__version__
    assert "version" in PROJECT["dynamic"]


def test_the_changelog_knows_the_version():
    assert f"## {us.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"version: {us.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")


def test_no_viewer_and_no_pinned_torch_among_the_dependencies():
    needed = [requirement.lower() for requirement in PROJECT["dependencies"]]
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in needed}
    assert not names & {"napari", "pyqt5", "pyqt6", "pyside2", "pyside6"}
    assert any(requirement.startswith("torch>=") for requirement in needed)
    assert not any("==" in requirement for requirement in needed)


def test_the_command_is_installed(distribution):
    scripts = distribution.entry_points.select(group="console_scripts", name="napari-unetseg")
    assert callable(next(iter(scripts)).load())


@pytest.mark.napari
def test_the_installed_manifest_is_the_one_at_the_root(distribution, manifest):
    from npe2 import PluginManifest

    installed = PluginManifest.from_distribution("napari-unetseg")
    assert installed.name == PROJECT["name"]
    assert installed.model_dump(exclude={"package_metadata"}) == manifest.model_dump(exclude={"package_metadata"})


def test_the_package_of_a_checkout_finds_the_manifest():
    """The root file again, not a copy: a link, or the text of one where a checkout cannot hold links."""
    linked = ROOT / "src" / "napari_unetseg" / "napari.yaml"
    if not linked.is_symlink():
        pytest.skip("this checkout holds no symlinks; git clone -c core.symlinks=true")
    assert linked.resolve() == ROOT / "napari.yaml"


@pytest.mark.napari
def test_every_command_of_the_manifest_exists(manifest):
    commands = manifest.contributions.commands
    assert commands
    for command in commands:
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    ("sample", "axes"),
    [
        (sample_data.cells_2d, "yx"),
        (sample_data.cells_3d, "zyx"),
        (sample_data.cells_time, "tyx"),
        (sample_data.membranes_3d, "zyx"),
    ],
)
def test_a_sample_is_an_image_with_its_labels_in_micrometres(sample, axes):
    (image, image_options, image_kind), (labels, labels_options, labels_kind) = sample()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.shape == labels.shape
    assert labels.dtype.kind in "iu"  # napari refuses float labels
    assert len(np.unique(labels)) > 10
    assert image_options.pop("name") != labels_options.pop("name")
    assert labels_options.pop("visible") is False  # the image is what a person wants to see first
    assert image_options == labels_options
    assert "".join(image_options["axis_labels"]) == axes
    assert len(image_options["scale"]) == image.ndim
    assert (
        dict(zip(axes, image_options["units"], strict=True)).items()
        <= {"t": "s", "z": "um", "y": "um", "x": "um"}.items()
    )


@pytest.mark.napari
def test_the_manifest_offers_what_it_should(manifest):
    offered = manifest.contributions
    titles = {command.id: command.title for command in offered.commands}
    docks = {widget.display_name: widget.command for widget in offered.widgets}
    assert set(docks) == {"Segment", "Train", "Review", "Batch", "Evaluate"}
    assert {menu: [titles[item.command] for item in items] for menu, items in offered.menus.items()} == {
        "napari/layers/segment": [titles[docks[name]] for name in ("Segment", "Train", "Batch")],
        "napari/layers/annotate": ["New labels layer for training", titles[docks["Review"]]],
        "napari/layers/measure": [titles[docks["Evaluate"]]],
    }
    assert [reader.filename_patterns for reader in offered.readers] == [
        ["*.safetensors"],
        ["*_labels.zarr", "*_labels.tif"],
    ]
    assert {writer.filename_extensions[-1] for writer in offered.writers} == {".tiff", ".zarr"}


@pytest.mark.napari
def test_the_preferences_are_bounded_explained_and_fit_the_settings(manifest):
    """What napari lets a person choose is what the settings take, and the defaults are the same."""
    configurations = getattr(manifest.contributions, "configurations", None)
    if not isinstance(configurations, dict):
        pytest.skip("this npe2 knows no preferences of plugins; they begin with napari 0.9")
    for configuration in configurations.values():
        for choice in configuration.properties.values():
            assert len(choice.description) > 40
            assert choice.enum or choice.max_length or choice.maximum
    computing = configurations["computing"].properties
    defaults = {name: choice.default or None for name, choice in computing.items()}
    assert TilingConfig(**defaults) == TilingConfig()
    assert TilingConfig(tile=computing["tile"].maximum)
    assert tuple(computing["precision"].enum) == get_args(Precision)


DISCOVERY = """
import sys
from npe2 import PluginManager
manager = PluginManager.instance()
manager.discover()
manifest = manager.get_manifest("napari-unetseg")
list(manager.iter_widgets()), manifest.contributions.menus
print(*sorted(name for name in ("torch", "napari_unetseg.widgets", "scipy", "qtpy") if name in sys.modules))
"""


@pytest.mark.napari
@pytest.mark.usefixtures("distribution")
def test_discovery_loads_neither_torch_nor_qt():
    pytest.importorskip("npe2", reason="needs npe2; pip install '.[test]'")
    found = subprocess.run([sys.executable, "-c", DISCOVERY], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout.strip()) == (0, ""), found.stderr
