"""`simulate`: images with truth, of any shape, the same for the same seed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.images.simulate import simulate


def test_images_and_labels_lie_side_by_side(run):
    result = run("simulate", "out", "--shape", "64,96", "--count", 2, "--seed", 5, "--diameter", 16)
    assert result.code == 0, result.err
    for number in (1, 2):
        name = f"nuclei_{number:04d}.tif"
        image, labels = simulate((64, 96), seed=4 + number, diameter=16)
        np.testing.assert_array_equal(tifffile.imread(f"out/images/{name}"), image)
        np.testing.assert_array_equal(tifffile.imread(f"out/labels/{name}"), labels)


@pytest.mark.parametrize("format_", ["tiff", "zarr"])
def test_stacks_over_time(run, format_):
    words = ("--shape", "3,48,64", "--time", 2, "--diameter", 16, "--format", format_)
    result = run("simulate", "out", *words, "--json")
    assert result.code == 0, result.err
    item = result.json["items"][0]
    source = open_image(item["image"])
    assert (source.axes.letters, source.shape, source.axes.is_guess) == ("TZYX", (2, 3, 48, 64), False)
    image, labels = simulate((3, 48, 64), time_points=2, diameter=16)
    np.testing.assert_array_equal(source.read(t=1, z=2)[0], image[1, 2])
    np.testing.assert_array_equal(read_labels(item["labels"]), labels)
    assert item["objects"] == len(np.unique(labels)) - 1


def test_the_truth_is_found_by_evaluate(run):
    assert run("simulate", "out", "--shape", "64,64", "--count", 2).code == 0
    shutil.copytree("out/labels", "found")
    assert run("evaluate", "found", "out/labels", "--json").json["mean_ap"] == 1


def test_existing_files_are_refused(run):
    assert run("simulate", "out", "--shape", "32,32").code == 0
    result = run("simulate", "out", "--shape", "32,32")
    assert result.code == 2
    assert "nuclei_0001.tif" in result.err
    assert run("simulate", "out", "--shape", "32,32", "--overwrite").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--shape", "32"),
        ("--shape", "0,4"),
        ("--shape", "2,2,2,2"),
        ("--density", 7),
        ("--diameter", -1),
        ("--count", 0),
    ],
)
def test_impossible_scenes_are_refused(run, words):
    assert run("simulate", "out", *words).code == 2
    assert not Path("out").exists()


def test_ctrl_c_leaves_no_half_image(run, monkeypatch):
    def stopped(shape, **options):
        yield np.zeros(shape[-2:], np.uint16), np.zeros(shape[-2:], np.uint32)
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_unetseg.images.simulate.simulate_planes", stopped)
    result = run("simulate", "out", "--shape", "2,32,32")
    assert result.code == 130
    assert "0 of 1 image complete" in result.err
    assert [path for path in Path("out").rglob("*") if path.is_file()] == []
