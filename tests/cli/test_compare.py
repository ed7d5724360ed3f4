"""`compare`: the same budget for each architecture, a table, a picture, and nothing replaced unasked."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unetseg.models.file import read_card

TINY = ("--width", 4, "--patch", 32, "--batch", 1, "--steps", 1)


def rows_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "compare.csv").read_text(encoding="utf-8").splitlines()))


def test_a_table_a_picture_and_the_models(run, images, truth):
    result = run("compare", images, truth, "-o", "out", "--networks", "unet", *TINY)
    assert result.code == 0, result.err
    (row,) = rows_of(Path("out"))
    assert row["network"] == "unet"
    assert row["width"] == "4"
    assert float(row["ms_per_mpx"]) > 0
    assert float(row["gmacs_per_mpx"]) > 0
    assert row["ap50"] != ""
    assert row["budget"] == "1 step"
    head, _, line, costs = result.out.splitlines()[:4]
    assert head.split()[:3] == ["network", "width", "AP@0.5"]
    assert line.split()[:2] == ["unet", "4"]
    assert "GMAC, thousand million multiplications" in costs
    assert "another budget" not in result.err
    assert read_card("out/unet.safetensors").network.width == 4
    with Image.open("out/compare.png") as picture:
        assert picture.size[0] > 300
    again = run("compare", images, truth, "-o", "out", "--networks", "unet", *TINY)
    assert again.code == 2
    assert "holds unet already" in again.err.replace("\n", " ")
    other = run("compare", images, truth, "-o", "out", "--networks", "segnet_basic", *TINY)
    assert other.code == 0, other.err
    assert {row["network"] for row in rows_of(Path("out"))} == {"unet", "segnet_basic"}  # the first row stays


def test_an_unknown_architecture_is_named_before_anything_is_read(run, images, truth):
    result = run("compare", images, truth, "-o", "out", "--networks", "unet,unett", *TINY)
    assert result.code == 2
    assert "did you mean 'unet'?" in result.err.replace("\n", " ")
    assert not Path("out").exists()


def test_one_that_cannot_be_built_is_told_and_the_others_go_on(run, images, truth):
    """Some need two patches for BatchNorm; what the recipe says of the U-Net holds."""
    Path("r.toml").write_text("[network]\ndepth = 2\n[network.settings]\nresidual = true\nskips = 'sum'\n")
    result = run("compare", images, truth, "-o", "out", "--networks", "bisenet,unet", "--recipe", "r.toml", *TINY)
    assert result.code == 1
    rows = {row["network"]: row for row in rows_of(Path("out"))}
    assert "a batch of 2 or more" in rows["bisenet"]["error"]
    assert rows["unet"]["error"] == ""
    network = read_card("out/unet.safetensors").network
    assert (network.depth, network.settings) == (2, {"residual": True, "skips": "sum"})


def test_a_budget_of_the_recipe_holds_and_without_one_there_are_ten_minutes(run, images, truth, monkeypatch):
    from napari_unetseg.schema.errors import JobError
    from napari_unetseg.tasks import train

    def fail(samples, *, recipe, **options):
        raise JobError(f"{recipe.steps} steps, {recipe.minutes} minutes")

    monkeypatch.setattr(train, "run", fail)
    Path("r.toml").write_text("steps = 7\n")
    for given, budget in ((("--recipe", "r.toml"), "7 steps, None minutes"), ((), "None steps, 10.0 minutes")):
        run("compare", images, truth, "-o", "out", "--networks", "unet", *given)
        assert [row["error"] for row in rows_of(Path("out"))] == [budget]


@pytest.mark.parametrize(("command", "output"), [("train", "out.safetensors"), ("compare", "out")])
def test_a_wrong_recipe_is_told_before_images_are_read(run, images, truth, command, output):
    next(images.iterdir()).write_bytes(b"no image")
    Path("r.toml").write_text("[network.settings]\nattentive = true\n")
    result = run(command, images, truth, "-o", output, "--recipe", "r.toml")
    assert result.code == 2
    assert "network 'unet', setting 'attentive'" in result.err.replace("\n", " ")


def test_classes_are_compared_by_their_iou(run, images, truth):
    for path in truth.iterdir():
        tifffile.imwrite(path, (tifffile.imread(path) > 0).astype(np.uint8))
    given = ("--networks", "unet", "--target", "semantic", "--loss", "dice", *TINY)
    result = run("compare", images, truth, "-o", "out", *given)
    assert result.code == 0, result.err
    (row,) = rows_of(Path("out"))
    assert (row["ap50"], row["mean_ap"]) == ("", "")
    assert 0 <= float(row["foreground_iou"]) <= 1
    head = result.out.splitlines()[0]
    assert "mean IoU, without background" in head
    assert "AP@0.5" not in head
    card = read_card("out/unet.safetensors")
    assert (card.target.kind, card.training.recipe.loss.kind) == ("semantic", "dice")


def test_one_that_cannot_learn_is_told_and_the_others_go_on(run, images, truth, monkeypatch):
    from napari_unetseg.schema.errors import JobError
    from napari_unetseg.tasks import train

    def fail(*args, **options):
        raise JobError("it does not learn")

    monkeypatch.setattr(train, "run", fail)
    result = run("compare", images, truth, "-o", "out", "--networks", "unet", *TINY)
    assert result.code == 1
    (row,) = rows_of(Path("out"))
    assert (row["error"], row["ap50"]) == ("it does not learn", "")


def test_rows_of_another_budget_are_told(run, images, truth, monkeypatch):
    """A row of an older version (without the column) and one of other steps are named, one of the same is not."""
    from napari_unetseg.schema.errors import JobError
    from napari_unetseg.tasks import train

    def fail(*args, **options):
        raise JobError("it does not learn")

    monkeypatch.setattr(train, "run", fail)
    Path("out").mkdir()
    lines = ("network,width,steps,budget", "segnet,4,3,10 minutes", "enet,4,1,1 step", "gcn,4,1,")
    Path("out/compare.csv").write_text("\n".join(lines), encoding="utf-8")
    result = run("compare", images, truth, "-o", "out", "--networks", "unet", "--json", *TINY)
    assert [note for note in result.json["notes"] if "budget" in note] == [
        "rows that had another budget than 1 step, and so compare badly: segnet (10 minutes), gcn (not noted)"
    ]
    assert {row["network"]: row["budget"] for row in rows_of(Path("out"))} == {
        "segnet": "10 minutes",
        "enet": "1 step",
        "gcn": "",
        "unet": "1 step",
    }
