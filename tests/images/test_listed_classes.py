"""Listed classes: numbers follow the list in every format, and what is not in it is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.images.annotation_files import find_annotations
from napari_unetseg.images.colours import read_colours
from napari_unetseg.images.listed_classes import check_list, check_listed
from napari_unetseg.images.read import from_array
from napari_unetseg.schema.errors import InputError

LEFT, RIGHT = [[0, 0], [2, 0], [2, 4], [0, 4]], [[4, 0], [6, 0], [6, 4], [4, 4]]
IMAGE = from_array(np.zeros((4, 6), np.uint8), axes="YX")


def labelme(folder: Path) -> Path:
    """Write a dividing cell (columns 0, 1) and a nucleus (columns 4, 5)."""
    shapes = [{"label": "dividing", "points": LEFT}, {"label": "nucleus", "points": RIGHT}]
    (folder / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.png"}))
    return folder / "a.json"


def coco(folder: Path) -> Path:
    """Write the same as COCO, with a category before them that nothing is of."""
    flat = [[value for point in ring for value in point] for ring in (LEFT, RIGHT)]
    value = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [
            {"image_id": 1, "category_id": number, "segmentation": [ring]}
            for number, ring in zip((3, 2), flat, strict=True)
        ],
        "categories": [{"id": 1, "name": "cells"}, {"id": 2, "name": "nucleus"}, {"id": 3, "name": "dividing"}],
    }
    (folder / "a.json").write_text(json.dumps(value))
    return folder / "a.json"


@pytest.mark.parametrize("write", [labelme, coco])
@pytest.mark.parametrize(
    ("listed", "row"),
    [(("nucleus", "dividing"), [2, 2, 0, 0, 1, 1]), (("other", "dividing", "nucleus"), [2, 2, 0, 0, 3, 3])],
)
def test_numbers_follow_the_list(tmp_path: Path, write: Any, listed: tuple[str, ...], row: list[int]) -> None:
    found = find_annotations(write(tmp_path), images=tmp_path, is_semantic=True, classes=listed)
    assert found.classes == listed
    (item,) = found.items
    assert item.draw is not None
    assert item.draw(IMAGE).labels[0, 0, 0].tolist() == row


@pytest.mark.parametrize("write", [labelme, coco])
def test_a_class_that_is_not_listed_is_refused_by_name(tmp_path: Path, write: Any) -> None:
    path = write(tmp_path)
    with pytest.raises(InputError) as error:
        find_annotations(path, images=tmp_path, is_semantic=True, classes=("nucleus", "divding"))
    assert str(error.value).startswith(f"{path}: the class 'dividing' is not among --classes nucleus,divding; did you")
    assert "did you mean 'divding'?" in str(error.value)


def test_colours_with_names_follow_the_list(tmp_path: Path) -> None:
    path = tmp_path / "colours.toml"
    path.write_text('"#ff0000" = "vesicle"\n"#00ff00" = "membrane"\n"#0000ff" = "ignore"\n')
    table = read_colours(path, listed=("membrane", "nucleus", "vesicle"))
    assert table.numbers == {0: 0, 0xFF0000: 3, 0x00FF00: 1, 0x0000FF: -1}
    assert table.names == ("membrane", "nucleus", "vesicle")
    with pytest.raises(InputError, match="the class 'membrane' is not among --classes vesicle"):
        read_colours(path, listed=("vesicle",))
    path.write_text('"#ff0000" = 1\n')
    with pytest.raises(InputError, match="gives the classes numbers, not names"):
        read_colours(path, listed=("vesicle",))


def test_classes_where_nothing_has_a_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.roi").touch()
    with pytest.raises(InputError, match="ImageJ ROI files have numbers of classes, no names"):
        find_annotations(tmp_path / "a.roi", images=tmp_path, is_semantic=True, classes=("nucleus",))
    with pytest.raises(InputError, match="add --semantic"):
        find_annotations(labelme(tmp_path), images=tmp_path, classes=("nucleus", "dividing"))


def test_a_list_has_each_class_once() -> None:
    check_list(["a", "b"])
    check_listed(["b"], listed=["a", "b"], where="x")
    with pytest.raises(InputError, match="names 'a' twice"):
        check_list(["a", "b", "a"])
    with pytest.raises(InputError, match="names 'background', which is always 0"):
        check_list(["background", "a"])
    with pytest.raises(InputError, match=r"'c' is not among --classes a,b \(nor are d\)\. Add"):
        check_listed(["c", "a", "d"], listed=["a", "b"], where="x")
