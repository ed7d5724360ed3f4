"""`import`: what is printed, the exit code, and that training takes what was written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from tests.cli.conftest import EDGE, SQUARES

from napari_unetseg.images.read import read_labels


@pytest.fixture
def annotations(tmp_path: Path, images: Path) -> Path:
    """Give LabelMe files of a (4 squares), b (2) and c (1)."""
    folder = tmp_path / "annotations"
    folder.mkdir()
    for name, count in (("a", 4), ("b", 2), ("c", 1)):
        shapes = [
            {"label": "nucleus", "shape_type": "rectangle", "points": [[x, y], [x + EDGE, y + EDGE]]}
            for y, x in SQUARES[:count]
        ]
        (folder / f"{name}.json").write_text(json.dumps({"shapes": shapes, "imagePath": f"{name}.tif"}))
    return folder


def test_pairs_are_written_and_the_next_command_works(run, annotations, images, truth):
    result = run("import", annotations, "--images", images, "-o", "pairs")
    assert result.code == 0, result.err
    assert "3 images imported: 7 objects" in result.out
    (line,) = [line for line in result.out.splitlines() if line.startswith("next: napari-unetseg train ")]
    assert line.endswith(f"train {Path('pairs/images')} {Path('pairs/labels')} -o model.safetensors")
    for name in "abc":
        np.testing.assert_array_equal(
            tifffile.imread(f"pairs/images/{name}.tif"), tifffile.imread(images / f"{name}.tif")
        )
        np.testing.assert_array_equal(read_labels(f"pairs/labels/{name}.tif"), tifffile.imread(truth / f"{name}.tif"))
    words = line.removeprefix("next: napari-unetseg ").split()
    trained = run(*words, "--steps", 1, "--width", 2, "--depth", 1, "--patch", 16, "--batch", 1, "--device", "cpu")
    assert trained.code == 0, trained.err


def test_classes_name_themselves_in_the_next_command(run, annotations, images):
    result = run("import", annotations, "--images", images, "-o", "pairs", "--semantic", "--palette")
    assert result.code == 0, result.err
    assert "classes: 1 nucleus" in result.out
    assert '--target semantic --classes "nucleus"' in result.out
    assert read_labels("pairs/labels/a.tif").max() == 1
    assert Path("pairs/palette/a.png").is_file()


def test_listed_classes_have_the_numbers_of_the_list(run, annotations, images):
    words = ("import", annotations, "--images", images, "-o", "pairs", "--semantic", "--classes")
    refused = run(*words, "nuclei, dividing")
    assert refused.code == 2
    assert "'nucleus' is not among --classes nuclei,dividing; did you mean 'nuclei'?" in " ".join(refused.err.split())
    assert not Path("pairs").exists()
    result = run(*words, "dividing, nucleus")
    assert result.code == 0, result.err
    assert "classes: 1 dividing, 2 nucleus" in result.out
    assert '--classes "dividing,nucleus"' in result.out
    assert np.unique(read_labels("pairs/labels/a.tif")).tolist() == [0, 2]


def test_a_failed_one_is_named_and_the_exit_code_is_1(run, annotations, images):
    (annotations / "b.json").write_text("[")
    result = run("import", annotations, "--images", images, "-o", "pairs", "--json")
    assert result.code == 1
    assert "failed: " in result.err
    assert "b.json" in result.err
    value = result.json
    assert (value["done"], value["failed"], value["objects"]) == (2, 1, 5)
    assert value["without_annotation"] == [str(images / "b.tif")]
    assert [item["error"] is None for item in value["items"]] == [True, False, True]


def test_wrong_usage_ends_with_2(run, annotations, images):
    for words in (
        ("import", annotations),
        ("import", "nowhere", "-o", "pairs"),
        ("import", annotations, "-o", "pairs", "--format", "yaml"),
        ("import", annotations, "-o", "pairs", "--images", images, "--colours", "nowhere.toml"),
        ("import", images, "-o", "pairs"),
    ):
        result = run(*words)
        assert result.code == 2, words
        assert not Path("pairs").exists()
