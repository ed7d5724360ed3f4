"""Masks become label maps; what is lost on the way is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_unetseg.images.masks import LabelReader, merge_masks
from napari_unetseg.schema.errors import InputError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Masks of one image: left half, middle columns (one shared with the left half), nothing, all (hidden but for one).

    0: ##..   1: .##.   2: ....   10: ####
    """
    inside = tmp_path / "cell" / "masks"
    inside.mkdir(parents=True)
    for name, columns in (("0", slice(0, 2)), ("1", slice(1, 3)), ("2", slice(0)), ("10", slice(0, 4))):
        mask = np.zeros((2, 4), np.uint8)
        mask[:, columns] = 255
        Image.fromarray(mask).save(inside / f"{name}.png")
    return inside.parent


def test_the_first_by_name_keeps_shared_pixels(folder: Path) -> None:
    for place in (folder, folder / "masks"):
        merged = merge_masks(place)
        assert merged.labels.dtype == np.uint32
        np.testing.assert_array_equal(merged.labels, [[1, 1, 2, 3]] * 2)
        assert (merged.masks, merged.shared, merged.without_object) == (4, 6, 1)


def test_what_was_merged_is_told(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(np.eye(3, dtype=np.uint8)).save(tmp_path / "labels.png")
    reader = LabelReader()
    np.testing.assert_array_equal(reader.read(tmp_path / "labels.png"), np.eye(3))
    assert reader.summary() == ""
    np.testing.assert_array_equal(reader.read(folder), [[1, 1, 2, 3]] * 2)
    assert reader.summary() == (
        "4 masks merged into 1 label map; 6 pixels in more than one mask (most in cell: 6), kept by the first by name; "
        "1 mask without an object (blank, or hidden under others)"
    )


def test_masks_of_another_size_are_refused(folder: Path) -> None:
    Image.new("L", (5, 5)).save(folder / "masks" / "9.png")
    with pytest.raises(InputError, match=r"9\.png: a mask of shape \(5, 5\) among"):
        merge_masks(folder)


def test_a_label_map_is_no_mask(folder: Path) -> None:
    Image.fromarray(np.array([[0, 1, 1, 2]] * 2, np.uint8)).save(folder / "masks" / "9.png")
    with pytest.raises(InputError, match=r"9\.png: holds the ids 1 to 2, as a label map does"):
        merge_masks(folder)


def test_smooth_edges_are_part_of_a_mask(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 80, 255, 170]], np.uint8)).save(tmp_path / "0.png")
    np.testing.assert_array_equal(merge_masks(tmp_path).labels, [[0, 1, 1, 1]])


def test_a_folder_without_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no masks"):
        merge_masks(tmp_path)
