"""`evaluate`: the keys of the contract, tables, plots, and files that do not fit."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

KEYS = {
    "ap",
    "mean_ap",
    "f1",
    "pq",
    "seg",
    "pixel_accuracy",
    "mean_class_accuracy",
    "iou",
    "mean_iou",
    "fw_iou",
    "dice",
    "per_image",
}


@pytest.fixture
def found(truth, tmp_path):
    """Give a folder with a copy of the truth."""
    return Path(shutil.copytree(truth, tmp_path / "found"))


def test_the_truth_scores_one(run, truth, found):
    result = run("evaluate", found, truth, "--json")
    assert result.code == 0, result.err
    assert set(result.json) >= KEYS
    assert list(result.json["ap"]) == ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90"]
    assert result.json["mean_ap"] == 1
    assert [entry["name"] for entry in result.json["per_image"]] == ["a.tif", "b.tif", "c.tif"]


def test_a_missed_cell_is_counted(run, truth, draw):
    tifffile.imwrite("found.tif", draw(3)[1])
    result = run("evaluate", "found.tif", truth / "a.tif", "--json")
    assert result.json["ap"]["0.50"] == 0.75
    assert abs(result.json["f1"] - 6 / 7) < 1e-9


def test_people_get_a_table(run, truth, found):
    result = run("evaluate", found, truth)
    assert "IoU threshold" in result.out
    assert "mean AP" in result.out
    assert "a.tif" in result.out


def test_segmented_files_find_their_truth(run, images, truth, model):
    assert run("segment", images, "-o", "out", "-m", model).code == 0
    assert run("evaluate", "out", truth, "--json").json["mean_ap"] == 1


def test_a_file_that_does_not_fit_is_named_and_the_rest_is_scored(run, truth, found):
    tifffile.imwrite(found / "b.tif", np.zeros((8, 8), np.uint8))
    result = run("evaluate", found, truth, "--json")
    assert result.code == 1
    lines = result.err.splitlines()
    assert sum(line.startswith("failed: b.tif") for line in lines) == 1
    assert lines[-1].startswith("1 failed:")
    assert [entry["item"] for entry in result.json["failed"]] == ["b.tif"]
    assert len(result.json["per_image"]) == 2


def test_wrong_paths_end_with_2(run, truth):
    assert run("evaluate", "none", truth).code == 2
    assert run("evaluate", truth / "a.tif", truth).code == 2


def test_the_plot_is_a_picture(run, truth, found):
    for pair in ((found, truth), (found / "a.tif", truth / "a.tif")):
        assert run("evaluate", *pair, "--plot", "scores.png").code == 0
        assert Path("scores.png").read_bytes().startswith(b"\x89PNG")


def test_axes_are_shown_and_can_be_given(run, draw):
    np.save("a.npy", np.stack([draw(4)[1]] * 2))
    result = run("evaluate", "a.npy", "a.npy", "--json")
    assert "note: a.npy: 2 planes of 64x64 without metadata: taken for ZYX; pass --axes to change" in result.err
    assert len(result.json["per_image"]) == 1
    result = run("evaluate", "a.npy", "a.npy", "--axes", "TYX", "--json")
    assert result.json["notes"] == []
    assert len(result.json["per_image"]) == 2


@pytest.mark.parametrize("side", ["predicted", "truth"])
def test_an_image_in_the_place_of_labels_is_refused(run, truth, side):
    rng = np.random.default_rng(0)
    for name, image in {
        "noise.tif": rng.poisson(100, (64, 64)).astype(np.uint16),
        "float.tif": rng.random((64, 64)).astype(np.float32),
        "rgb.tif": rng.integers(0, 255, (64, 64, 3), dtype=np.uint8),
    }.items():
        tifffile.imwrite(name, image, photometric="rgb" if image.ndim == 3 else "minisblack")
        pair = (name, truth / "a.tif") if side == "predicted" else (truth / "a.tif", name)
        result = run("evaluate", *pair, "--json")
        assert result.code == 1
        (failed,) = result.json["failed"]
        assert name in failed["error"]
        assert "image" in failed["error"]
