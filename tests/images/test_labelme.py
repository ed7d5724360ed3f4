"""LabelMe JSON: shapes, groups and labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.labelme import labelme_classes, read_labelme
from napari_unetseg.images.read import from_array
from napari_unetseg.schema.errors import InputError

LEFT = {"label": "b", "points": [[0, 0], [2, 0], [2, 4], [0, 4]], "shape_type": "polygon"}
BOX = {"label": "a", "points": [[6, 4], [4, 2]], "shape_type": "rectangle"}
CIRCLE = {"label": "a", "points": [[3, 2], [3, 3]], "shape_type": "circle"}


def drawn(tmp_path: Path, *shapes: dict[str, Any], numbers: dict[str, int] | None = None, **others: Any) -> Drawn:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"shapes": shapes, "imagePath": "..\\photos\\b.png", "imageData": None, **others}))
    item = read_labelme(json.loads(path.read_text()), path=path, numbers=numbers)
    assert item.images == ("..\\photos\\b.png", "a")
    assert item.draw is not None
    return item.draw(from_array(np.zeros((4, 6), np.uint8), axes="YX"))


def test_polygons_rectangles_and_circles_are_objects(tmp_path: Path) -> None:
    result = drawn(tmp_path, LEFT, BOX, CIRCLE)
    np.testing.assert_array_equal(
        result.labels[0, 0],
        [[1, 1, 0, 0, 0, 0], [1, 1, 3, 3, 0, 0], [1, 1, 3, 3, 2, 2], [1, 1, 0, 0, 2, 2]],
    )
    assert (result.shared, result.skipped) == (0, {})


def test_shapes_of_a_group_are_one_object(tmp_path: Path) -> None:
    result = drawn(tmp_path, {**BOX, "group_id": 4}, LEFT, {**CIRCLE, "group_id": 4}, {**LEFT, "group_id": 4})
    assert np.unique(result.labels).tolist() == [0, 1, 4]


def test_labels_are_classes_and_one_means_not_annotated(tmp_path: Path) -> None:
    shapes = [LEFT, BOX, {**CIRCLE, "label": "__ignore__"}]
    assert labelme_classes({"shapes": shapes}, path=Path("a.json")) == {"a", "b"}
    result = drawn(tmp_path, *shapes, numbers={"a": 1, "b": 2})
    assert result.labels[0, 0, 2].tolist() == [2, 2, -1, -1, 1, 1]


def test_background_is_no_class(tmp_path: Path) -> None:
    shapes = [BOX, {**CIRCLE, "label": "_background_"}, LEFT]
    assert labelme_classes({"shapes": shapes}, path=Path("a.json")) == {"a", "b"}
    for numbers in (None, {"a": 1, "b": 3}):
        result = drawn(tmp_path, *shapes, numbers=numbers)
        assert result.labels[0, 0, 2].tolist() == [3, 3, 0, 0, 1, 1]
        assert result.skipped == {}


@pytest.mark.parametrize(
    "odd",
    [
        {"points": [[1, 1]], "shape_type": "point"},
        {"points": [[1, 1], [2, 2], [3, 1]], "shape_type": "linestrip"},
        {"points": [[1, 1], [2, 2]], "shape_type": "polygon"},
        {"points": [[1, 1]], "shape_type": "circle"},
        {"points": "none"},
    ],
)
def test_what_is_left_out_names_no_class(odd: dict[str, Any]) -> None:
    shapes = [LEFT, BOX, {"label": "dot", **odd}]
    assert labelme_classes({"shapes": shapes}, path=Path("a.json")) == {"a", "b"}
    assert labelme_classes({"shapes": [*shapes, {**CIRCLE, "label": "dot"}]}, path=Path("a.json")) == {"a", "b", "dot"}


def test_what_makes_no_object_is_counted(tmp_path: Path) -> None:
    odd = [
        {"label": "a", "points": [[1, 1]], "shape_type": "point"},
        {"label": "a", "points": [[1, 1]], "shape_type": "circle"},
        {"label": "a", "points": [[1, 1], [1, "x"]], "shape_type": "rectangle"},
        {"label": "a"},
    ]
    assert drawn(tmp_path, *odd).skipped == {
        "shape of the type point": 1,
        "circle without its 2 points": 1,
        "outline with impossible coordinates": 1,
        "outline of fewer than 3 points": 1,
    }


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="annotated for 7 x 4 pixels"):
        drawn(tmp_path, LEFT, imageHeight=4, imageWidth=7)
