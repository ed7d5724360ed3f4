"""The page of a folder: a row for each image, those of earlier runs too, and no word of a file runs as a script."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from napari_unetseg.images.read import from_array
from napari_unetseg.images.results import REPORT, Result
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.schema.events import ItemDone
from napari_unetseg.tasks.report import EDGE, Report, picture_of


def page(folder: Path) -> str:
    return (folder / REPORT).read_text("utf-8")


def test_every_image_has_a_row_with_what_became_of_it(tmp_path) -> None:
    report = Report(tmp_path, title="out: segmented with m")
    report.add(
        ItemDone("b.tif", 1, 3, Path("b_labels.tif"), 1234, 65.4, axes="ZYX (guess)"),
        path=Path("b.tif"),
        picture="AAAA",
    )
    report.add(
        ItemDone("a.tif", 2, 3, seconds=0.1, error="a.tif: <script>alert(1)</script> is damaged"), path=Path("a.tif")
    )
    report.add(ItemDone("c.tif", 3, 3, seconds=2.0), path=Path("c.tif"))
    report.write()
    text = page(tmp_path)
    assert "3 images, 1 done: 1,234 objects" in text
    assert "1 failed" in text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert [text.index(f">{name}<") for name in ("a.tif", "b.tif", "c.tif")] == sorted(
        text.index(f">{name}<") for name in ("a.tif", "b.tif", "c.tif")
    )
    for part in ("1,234", "1 min 05 s", "ZYX (guess)", "base64,AAAA", "in parts"):
        assert part in text


def test_a_later_run_keeps_the_rows_of_images_it_leaves_out(tmp_path) -> None:
    first = Report(tmp_path, title="t")
    first.add(ItemDone("a.tif", 1, 2, Path("a"), 7, 1.0), path=Path("a.tif"), picture="AAAA")
    first.add(ItemDone("b.tif", 2, 2, seconds=1.0, error="broken"), path=Path("b.tif"))
    with (tmp_path / ".unetseg_report.jsonl").open("a") as file:
        file.write('{"name": "c.tif", "sta')  # a crash
    second = Report(tmp_path, title="t")
    second.add(ItemDone("a.tif", 1, 2, Path("a")), path=Path("a.tif"))  # kept
    second.add(ItemDone("b.tif", 2, 2, Path("b"), 3, 1.0), path=Path("b.tif"))
    second.write()
    assert "2 images, 2 done: 10 objects" in page(tmp_path)
    assert "broken" not in page(tmp_path)


@pytest.mark.parametrize("axes", ["YX", "ZYX", "TZYX"])
def test_the_picture_is_of_the_middle_object(tmp_path, axes) -> None:
    shape = (2, 3, 300, 400)[4 - len(axes) :]
    image, labels = np.full(shape, 100, np.uint16), np.zeros(shape, np.uint32)
    where = (*(1,) * (len(axes) - 2), slice(250, 260), slice(10, 30))
    image[where], labels[where] = 900, 1
    with LabelWriter(tmp_path / "l.tif", shape=shape, axes=axes, scale={}) as writer:
        writer.write((), labels)
    table = pd.DataFrame({"label": [1], "centroid_y_px": [254.5], "centroid_x_px": [19.5], "t": [1], "z": [1]})
    table.to_csv(tmp_path / "l.csv", index=False)
    place = Result(tmp_path / "l.tif", tmp_path / "l.csv")
    data = picture_of(from_array(image, axes=axes), place, channel=0)
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert picture.shape == (EDGE, EDGE, 3)
    y, x = 250 - (300 - EDGE), 10
    assert (picture[y, x] != picture[y, x, 0]).any()  # an outline in colour
    assert (picture[y + 4, x + 4] == 255).all()  # a bright object
    assert (picture[0, 0] == picture[0, 0, 0]).all()


@pytest.mark.parametrize("has_table", [True, False])
def test_results_that_are_gone_have_no_picture(tmp_path, has_table) -> None:
    place = Result(tmp_path / "no.tif", tmp_path / "no.csv")
    if has_table:
        place.table.write_text("label,centroid_y_px,centroid_x_px\n1,4,4\n")
    assert picture_of(from_array(np.zeros((9, 9), np.uint8)), place, channel=0) == ""
