"""COCO JSON: polygons and run-length masks, categories, crowds, and files that are no COCO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.coco import NO_CATEGORY, NO_OUTLINE, coco_classes, read_coco, used_classes
from napari_unetseg.images.polygons import FEW_POINTS, OutlineError
from napari_unetseg.images.read import from_array
from napari_unetseg.images.runs import DAMAGED, SIZE_DIFFERS, decode_runs
from napari_unetseg.schema.errors import InputError

PATH = Path("cells.json")
LEFT = [0, 0, 2, 0, 2, 4, 0, 4]  # columns 0 and 1 of a 4 x 6 image
RIGHT = [4, 0, 6, 0, 6, 4, 4, 4]


def coco(*annotations: dict[str, Any]) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "file_name": "train/a.png", "height": 4, "width": 6}],
        "annotations": [{"image_id": 7, "category_id": 10, **one} for one in annotations],
        "categories": [{"id": 10, "name": "vesicle"}, {"id": 9, "name": "membrane"}],
    }


def drawn(value: dict[str, Any], numbers: dict[str, int] | None = None) -> Drawn:
    items, notes = read_coco(value, path=PATH, numbers=numbers)
    assert not notes
    (item,) = items
    assert (item.name, item.images) == ("cells.json: train/a.png", ("train/a.png",))
    assert item.draw is not None
    return item.draw(from_array(np.zeros((4, 6), np.uint8), axes="YX"))


def test_polygons_are_objects_and_their_parts_belong_together() -> None:
    labels = drawn(coco({"segmentation": [LEFT, RIGHT]}, {"segmentation": [[2, 0, 4, 0, 4, 2, 2, 2]]})).labels
    np.testing.assert_array_equal(labels[0, 0], [[1, 1, 2, 2, 1, 1]] * 2 + [[1, 1, 0, 0, 1, 1]] * 2)


def test_runs_as_numbers_and_as_text_are_alike() -> None:
    for counts in ([2, 3, 19], "23c0"):
        labels = drawn(coco({"segmentation": {"size": [4, 6], "counts": counts}})).labels
        np.testing.assert_array_equal(np.flatnonzero(labels[0, 0].ravel(order="F")), [2, 3, 4])


def test_from_the_fourth_number_on_text_holds_differences() -> None:
    """1, 2, 3, 5 and 1: as text 1, 2, 3, 5 - 2 = 3, and 1 - 3 = -2, which is 30 in 5 bits of two's complement."""
    mask = decode_runs({"size": [3, 4], "counts": "1233N"}, shape=(3, 4))
    np.testing.assert_array_equal(mask.ravel(order="F"), [0, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0])


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ({"size": [6, 4], "counts": [24]}, SIZE_DIFFERS),
        ({"size": [4, 6], "counts": [2, 3]}, DAMAGED),
        ({"size": [4, 6], "counts": [25, -1]}, DAMAGED),
        ({"size": [4, 6], "counts": [True] * 24}, DAMAGED),
        ({"size": [4, 6], "counts": "23c"}, DAMAGED),
        ({"size": [4, 6], "counts": "o" * 99}, DAMAGED),
        ({"size": [4, 6], "counts": " "}, DAMAGED),
        ({"size": [4, 6]}, DAMAGED),
    ],
)
def test_damaged_runs(segmentation: dict[str, Any], reason: str) -> None:
    with pytest.raises(OutlineError, match=reason):
        decode_runs(segmentation, shape=(4, 6))


def test_annotations_without_an_object_are_counted() -> None:
    result = drawn(coco({"segmentation": []}, {"bbox": [0, 0, 1, 1]}, {"segmentation": [[1, 1, 2, 2]]}))
    assert not result.labels.any()
    assert result.skipped == {NO_OUTLINE: 2, FEW_POINTS: 1}


def test_categories_are_classes_in_the_order_of_their_numbers() -> None:
    value = coco(
        {"segmentation": [LEFT]},
        {"segmentation": [RIGHT], "category_id": 9},
        {"segmentation": [RIGHT], "category_id": 3},
    )
    assert coco_classes(value, path=PATH) == ["membrane", "vesicle"]
    result = drawn(value, {"membrane": 1, "vesicle": 2})
    np.testing.assert_array_equal(result.labels[0, 0], [[2, 2, 0, 0, 1, 1]] * 4)
    assert result.skipped == {NO_CATEGORY: 1}


@pytest.mark.parametrize("odd", [{"bbox": [0, 0, 1, 1]}, {"segmentation": []}, {"segmentation": [LEFT, 3]}])
def test_a_category_of_boxes_alone_is_listed_but_not_used(odd: dict[str, Any]) -> None:
    value = coco({"segmentation": LEFT, "category_id": 9}, odd)
    assert coco_classes(value, path=PATH) == ["membrane", "vesicle"]
    assert used_classes(value, path=PATH) == ["membrane"]
    assert used_classes(coco({"segmentation": [LEFT]}, odd), path=PATH) == ["vesicle"]


def test_crowds_are_not_annotated_and_lie_below() -> None:
    crowd = {"segmentation": {"size": [4, 6], "counts": [0, 24]}, "iscrowd": 1}
    result = drawn(coco({"segmentation": [LEFT]}, crowd))
    np.testing.assert_array_equal(result.labels[0, 0], [[2, 2, -1, -1, -1, -1]] * 4)
    assert result.shared == 0
    assert (drawn(coco(crowd), {"vesicle": 2, "membrane": 1}).labels == 2).all()


def test_background_and_ignore_are_no_classes() -> None:
    value = coco(
        {"segmentation": [[0, 0, 1, 0, 1, 4, 0, 4]], "category_id": 9},
        {"segmentation": [LEFT], "category_id": 0},
        {"segmentation": [RIGHT], "category_id": 1},
    )
    value["categories"] += [{"id": 0, "name": "Background"}, {"id": 1, "name": "__ignore__"}]
    assert coco_classes(value, path=PATH) == ["membrane", "vesicle"]
    result = drawn(value, {"membrane": 1, "vesicle": 2})
    np.testing.assert_array_equal(result.labels[0, 0], [[1, 0, 0, 0, -1, -1]] * 4)
    assert result.skipped == {}
    np.testing.assert_array_equal(drawn(value).labels[0, 0], [[3, 0, 0, 0, -1, -1]] * 4)


def test_an_image_of_another_size_is_refused() -> None:
    value = coco({"segmentation": [LEFT]})
    value["images"][0]["width"] = 60
    with pytest.raises(InputError, match="annotated for 60 x 4 pixels, but the image has 6 x 4"):
        drawn(value)


def test_an_image_without_a_name_stops_no_other() -> None:
    value = coco()
    value["images"].append({"id": 8})
    items, _ = read_coco(value, path=PATH, numbers=None)
    assert [item.error for item in items] == [
        "",
        "cells.json: image 8 has no 'file_name'; export the annotations again",
    ]


def test_annotations_of_no_image_are_told() -> None:
    value = coco({"segmentation": [LEFT], "image_id": 8}, {"segmentation": [LEFT], "image_id": [1]})
    _, notes = read_coco(value, path=PATH, numbers=None)
    assert notes == ["cells.json: 2 annotations of images that it does not list, skipped"]


def test_ids_may_be_floats_of_whole_numbers() -> None:
    value = coco({"segmentation": [LEFT], "image_id": 7.0, "category_id": 9.0}, {"segmentation": [RIGHT]})
    value["images"] = [{"id": 8.0, "file_name": "b.png"}, {**value["images"][0], "id": 7.0}]
    value["categories"] = [{"id": 10.0, "name": "vesicle"}, {"id": 9.0, "name": "membrane"}]
    assert coco_classes(value, path=PATH) == ["membrane", "vesicle"]
    (empty, item), notes = read_coco(value, path=PATH, numbers={"membrane": 1, "vesicle": 2})
    assert not notes
    assert empty.draw is not None
    assert item.draw is not None
    image = from_array(np.zeros((4, 6), np.uint8), axes="YX")
    assert not empty.draw(image).labels.any()
    np.testing.assert_array_equal(item.draw(image).labels[0, 0], [[1, 1, 0, 0, 2, 2]] * 4)


@pytest.mark.parametrize("bad", [None, 1.5, float("nan"), True, [1], ""])
def test_what_is_no_id_is_told(bad: object) -> None:
    value = coco({"segmentation": [LEFT], "image_id": bad}, {"segmentation": [RIGHT], "category_id": bad})
    value["images"].append({"id": bad, "file_name": "b.png"})
    items, notes = read_coco(value, path=PATH, numbers={"membrane": 1, "vesicle": 2})
    assert [item.error for item in items] == ["", "cells.json: b.png: has no id; export the annotations again"]
    assert notes == ["cells.json: 1 annotation of images that it does not list, skipped"]
    assert items[0].draw is not None
    assert items[0].draw(from_array(np.zeros((4, 6), np.uint8), axes="YX")).skipped == {NO_CATEGORY: 1}
    value["categories"].append({"id": bad, "name": "lumen"})
    with pytest.raises(InputError, match=r"cells\.json: the category 'lumen' has no id; export the annotations again"):
        coco_classes(value, path=PATH)


def test_two_of_one_id_are_no_empty_images() -> None:
    value = coco({"segmentation": [LEFT]})
    value["images"] += [{"id": "7", "file_name": "b.png"}, {"id": 8, "file_name": "c.png"}]
    items, notes = read_coco(value, path=PATH, numbers=None)
    assert [item.error for item in items] == [
        "cells.json: train/a.png: two images have the id 7; export the annotations again",
        "cells.json: b.png: two images have the id 7; export the annotations again",
        "",
    ]
    assert not notes
    value["categories"].append({"id": 9.0, "name": "lumen"})
    with pytest.raises(InputError, match=r"cells\.json: two categories have the id 9; export the annotations again"):
        coco_classes(value, path=PATH)


@pytest.mark.parametrize(
    "broken", [{"images": 3}, {"images": []}, {"annotations": [1]}, {"categories": {}}, {"annotations": None}]
)
def test_what_is_no_coco_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"cells\.json"):
        read_coco({**coco(), **broken}, path=PATH, numbers=None)
