"""Classes from the command line: train on simulated membranes, segment, evaluate, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from napari_unetseg.cli.layers import RecipeLayers
from napari_unetseg.images.membranes import stain_membranes
from napari_unetseg.images.simulate import simulate
from napari_unetseg.models.file import read_card

TINY = ("--width", 6, "--depth", 2, "--patch", 64, "--batch", 2)


@pytest.fixture
def membranes(tmp_path: Path) -> tuple[Path, Path]:
    """Give folders with three images of simulated cells, and their insides (1) and rims (2) as classes."""
    folders = tmp_path / "cells", tmp_path / "classes"
    for folder in folders:
        folder.mkdir()
    for seed in range(3):
        labels = simulate((96, 96), seed=seed, density=0.5)[1]
        is_inside = ndimage.minimum_filter(labels, 7) == ndimage.maximum_filter(labels, 7)
        classes = np.where(labels > 0, np.where(is_inside, 1, 2), 0).astype(np.uint8)
        image = stain_membranes(labels, rng=np.random.default_rng(seed))
        tifffile.imwrite(folders[0] / f"cell{seed}.tif", image)
        tifffile.imwrite(folders[1] / f"cell{seed}.tif", classes)
    return folders


def test_classes_are_trained_segmented_and_evaluated(run, membranes, tmp_path) -> None:
    images, classes = membranes
    recipe = tmp_path / "fast.toml"
    recipe.write_text("learning_rate = 0.01\nema = 0.9\nvalidation = 0.34\n[augmentation]\nprobability = 0\n")
    names = ("--target", "semantic", "--classes", "inside, rim")
    result = run("train", images, classes, "-o", "rims.safetensors", "--recipe", recipe, "--steps", 80, *names, *TINY)
    assert result.code == 0, result.err
    assert "learnt from the classes background, inside, rim in 2 images" in result.out
    card = read_card("rims.safetensors")
    assert card.classes == ("background", "inside", "rim")
    assert card.network.out_channels == card.target.classes == 3

    result = run("segment", images, "-o", "out", "-m", "rims.safetensors")
    assert result.code == 0, result.err
    assert "classes" in result.out
    assert "object" not in result.out.replace("_objects", "")
    with Path("out/cell0_objects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == ["background", "inside", "rim"]
    labels = tifffile.imread("out/cell0_labels.tif")
    assert [int(row["area_px"]) for row in rows] == np.bincount(labels.ravel(), minlength=3).tolist()

    result = run("evaluate", "out", classes, "--semantic", "--json")
    assert result.code == 0, result.err
    assert result.json["foreground_iou"] > 0.5  # calling everything one class gives 0.2
    assert len(result.json["iou"]) == 3
    assert result.json["pixel_error"] == pytest.approx(1 - result.json["pixel_accuracy"])
    told = run("evaluate", "out", classes)
    assert "note: out: scored as classes" in told.err
    assert "IoU of class 2 (rim)" in told.out
    assert "cell2.tif" in told.out
    assert "mean AP" in run("evaluate", "out", classes, "--objects").out
    result = run("evaluate", "out", classes, "--plot", "p.png")
    assert result.code == 0, result.err
    assert "plot: p.png" in result.out
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    Path("out/cell1_objects.csv").unlink()
    result = run("evaluate", "out", classes)
    assert result.code == 2
    assert "2 files with classes (cell0_labels.tif, ...) and 1 without" in result.err


def test_masks_of_8_bits_need_no_number_of_classes_and_regions_are_scored(run, membranes) -> None:
    images, classes = membranes
    for path in classes.iterdir():
        tifffile.imwrite(path, np.uint8(255) * (tifffile.imread(path) == 2))
    result = run("train", images, classes, "-o", "m.safetensors", "--steps", 2, "--target", "semantic", *TINY)
    assert result.code == 0, result.err
    assert read_card("m.safetensors").classes == ("background", "class 1")
    assert run("segment", images, "-o", "out", "-m", "m.safetensors").code == 0
    scores = run("evaluate", "out", classes, "--semantic", "--json").json
    assert scores["classes"] == 2
    assert all(scores[key] is not None for key in ("rand_error", "voi_split", "voi_merged"))
    assert 0 < scores["split_merge_error"] <= scores["warping_error"] < 1
    assert {"warping_error", "split_merge_error", "splits", "mergers"} <= scores["per_image"][0].keys()
    told = run("evaluate", "out", classes, "--semantic").out
    assert "warping error, splits and mergers" in told
    assert "mergers in an image" in told


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--classes", "rim"), "classes is for kind 'semantic' only"),
        (("--target", "semantic", "--classes", "rim"), "holds class 2, but there are 2 classes"),
        (("--target", "semantic", "--classes", "rim,rim"), "not different"),
    ],
)
def test_names_that_do_not_fit_are_refused(run, membranes, options: tuple[str, ...], message: str) -> None:
    result = run("train", *membranes, "-o", "m.safetensors", "--steps", 1, *options, *TINY)
    assert result.code == 2
    assert message in result.err


def test_a_map_of_objects_is_no_map_of_classes(run, membranes) -> None:
    images, classes = membranes
    for path in classes.iterdir():
        tifffile.imwrite(path, np.repeat(np.arange(96, dtype=np.uint16)[:, None], 96, axis=1))
    result = run("train", images, classes, "-o", "m.safetensors", "--steps", 1, "--target", "semantic", *TINY)
    assert result.code == 2
    assert "as a map of objects does" in result.err


def test_settings_of_objects_are_refused(run, membranes) -> None:
    images, classes = membranes
    run("train", images, classes, "-o", "m.safetensors", "--steps", 1, "--target", "semantic", *TINY)
    for option in (("--link",), ("--min-size", 50)):
        result = run("segment", images, "-o", "out", "-m", "m.safetensors", *option)
        assert result.code == 2
        assert "gives classes, not objects" in result.err


def test_unpainted_pixels_of_classes_weigh_nothing() -> None:
    given = {"target": {"kind": "semantic"}, "unlabelled_is_background": False}
    weights = RecipeLayers(given, file=None, patch=None).recipe(None).weights
    assert (weights.unlabelled, weights.believed) == (0, 0)


def test_the_table_of_images_has_what_some_of_them_have() -> None:
    from napari_unetseg.cli.evaluate import class_image_table

    shared = {"pixel_error": 0.25, "foreground_iou": 0.5}
    three = {"name": "a", **shared, "iou": [0.9, 0.5, None]}
    lines = class_image_table([three, {"name": "b", **shared, "iou": [0.9, 0.5]}], names=("background", "nerve"))
    assert lines.splitlines()[0].split("  ") == [
        "image",
        "pixel error",
        "mean IoU, without background",
        "IoU of class 1 (nerve)",
    ]
    two = {"name": "c", **shared, "iou": [0.9, 0.5], "rand_error": 0.0, "splits": 1}
    head = class_image_table([two]).splitlines()[0]
    assert "Rand error  splits" in head
    assert "class 1" not in head
