"""`compare`: the same budget for each architecture, a table, a picture, and nothing replaced unasked."""

from __future__ import annotations

import csv
from pathlib import Path

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
    assert read_card("out/unet.safetensors").network.width == 4
    with Image.open("out/compare.png") as picture:
        assert picture.size[0] > 300
    again = run("compare", images, truth, "-o", "out", "--networks", "unet", *TINY)
    assert again.code == 2
    assert "leave unet out of --networks" in again.err.replace("\n", " ")


def test_an_unknown_architecture_is_named_before_anything_is_read(run, images, truth):
    result = run("compare", images, truth, "-o", "out", "--networks", "unet,unett", *TINY)
    assert result.code == 2
    assert "did you mean 'unet'?" in result.err.replace("\n", " ")
    assert not Path("out").exists()


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
