"""Each image has a place for its labels and its table, and no two images share one."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.images.results import is_within, place_of, results_of


def test_labels_and_table_carry_the_images_name(tmp_path: Path) -> None:
    place = results_of([Path("in/a.tif")], folder=tmp_path, format="tiff")[Path("in/a.tif")]
    assert (place.labels, place.table) == (tmp_path / "a_labels.tif", tmp_path / "a_objects.csv")
    assert results_of([Path("a.tif")], folder=tmp_path, format="zarr")[Path("a.tif")].labels.name == "a_labels.zarr"


def test_two_images_of_one_name_get_two_places(tmp_path: Path) -> None:
    places = results_of([Path("one/a.tif"), Path("two/a.tif")], folder=tmp_path, format="tiff")
    assert len({place.labels for place in places.values()} | {place.table for place in places.values()}) == 4


def test_a_result_is_complete_with_its_table(tmp_path: Path) -> None:
    place = results_of([Path("a.tif")], folder=tmp_path, format="tiff")[Path("a.tif")]
    assert (place.is_begun, place.is_complete) == (False, False)
    place.labels.touch()
    assert (place.is_begun, place.is_complete) == (True, False)
    place.table.touch()
    assert place.is_complete


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("data/im.zarr", True),
        ("data/im.zarr/labels/cells.zarr", True),
        ("data", True),
        ("data/im_labels.zarr", False),
        ("other/im.zarr", False),
        ("data/im.zarr/../im.zarr", True),
    ],
)
def test_a_result_within_its_image_is_known(tmp_path: Path, labels: str, expected: bool) -> None:
    assert is_within(place_of(tmp_path / labels), tmp_path / "data/im.zarr") == expected
