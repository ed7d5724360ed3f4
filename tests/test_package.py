"""What is installed is what is here: version, public names, entry points, manifest, samples."""

from __future__ import annotations

import importlib
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import napari_unetseg as us
from napari_unetseg import sample_data
from napari_unetseg.schema.config import Recipe

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
    needed = " ".join(PROJECT["dependencies"]).lower()
    assert not any(name in needed for name in ("napari", "pyqt", "pyside"))
    assert "torch>=" in needed
    assert "==" not in needed


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
    ("sample", "ndim"), [(sample_data.cells_2d, 2), (sample_data.cells_3d, 3), (sample_data.cells_time, 3)]
)
def test_a_sample_is_an_image_with_its_labels(sample, ndim):
    (image, image_options, image_kind), (labels, labels_options, labels_kind) = sample()
    assert (image_kind, labels_kind) == ("image", "labels")
    assert image.shape == labels.shape
    assert image.ndim == ndim
    assert labels.dtype.kind in "iu"  # napari refuses float labels
    assert len(np.unique(labels)) > 10
    assert image_options["name"] != labels_options["name"]
