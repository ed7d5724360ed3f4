"""`demo`: every file it promises, and scores that are those of `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_unetseg.cli import demo
from napari_unetseg.tasks import manifest

FILES = [
    "nuclei.png",
    "nuclei.tif",
    "nuclei_labels.tif",
    "nuclei_objects.csv",
    "nuclei_scores.json",
    "nuclei_truth.tif",
]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the demo small."""
    monkeypatch.setattr(demo, "SIZE", 96)
    monkeypatch.setattr(demo, "FRAMES", 2)


@pytest.mark.usefixtures("small")
def test_everything_is_written_and_written_again(run, model):
    result = run("demo", "-o", "out", "-m", model, "--json")
    assert result.code == 0, result.err
    assert sorted(path.name for path in Path("out").iterdir() if path.name != manifest.NAME) == FILES
    assert result.json["true_objects"] > 5
    assert json.loads(Path("out/nuclei_scores.json").read_text())["ap"] == result.json["scores"]["ap"]
    assert Path(result.json["files"]["picture"]).read_bytes().startswith(b"\x89PNG")
    result = run("demo", "-o", "out", "-m", model)
    assert result.code == 0, result.err
    assert "AP at IoU 0.50" in result.out
    assert "nuclei.png" in result.out


def test_a_model_that_is_missing_ends_with_2(run):
    result = run("demo", "-o", "out", "-m", "nothing-like-it")
    assert result.code == 2
    assert "nothing-like-it" in result.err
    assert not Path("out").exists()


def test_a_file_as_folder_is_refused(run):
    Path("out").write_text("precious")
    assert run("demo", "-o", "out").code == 2
    assert Path("out").read_text() == "precious"


def test_an_image_that_no_demo_made_is_not_replaced(run, model, tmp_path):
    (tmp_path / "nuclei.tif").write_text("precious")
    result = run("demo", "-o", ".", "-m", model)
    assert result.code == 2
    assert "nuclei.tif" in result.err
    assert (tmp_path / "nuclei.tif").read_text() == "precious"


@pytest.mark.usefixtures("small")
def test_a_failure_is_told_once(run, model, monkeypatch):
    from napari_unetseg.tasks import blockwise

    def failing(*args, **options):
        raise ValueError("nothing works")

    monkeypatch.setattr(blockwise, "decode", failing)
    result = run("demo", "-o", "out", "-m", model)
    assert result.code == 1
    assert result.err.count("nothing works") == 1
    assert result.err.splitlines()[-1].startswith("error: ")
