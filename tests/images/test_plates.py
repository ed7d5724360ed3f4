import json

import numpy as np
import pytest
import zarr

from napari_unetseg.images.find import find_images
from napari_unetseg.images.layouts import output_names
from napari_unetseg.images.plates import fields_of
from napari_unetseg.images.read import open_image
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.schema.errors import InputError

WELLS = {"A/1": ["0", "1"], "B/12": ["0"]}


def _plate(path, *, version, wells=WELLS):
    """A plate whose fields are 8 x 9 pixels with the running number of the field in them."""
    zarr_format = 3 if version == "0.5" else 2
    root = zarr.open_group(path, mode="w", zarr_format=zarr_format)

    def describe(group, content):
        group.attrs.update({"ome": content} if version == "0.5" else content)

    describe(root, {"plate": {"version": version, "wells": [{"path": well} for well in wells]}})
    number = 0
    for well, fields in wells.items():
        group = root.create_group(well)
        describe(group, {"well": {"images": [{"path": field} for field in fields]}})
        for field in fields:
            number += 1
            image = group.create_group(field)
            image.create_array("0", data=np.full((8, 9), number, np.uint16))
            axes = [{"name": "y", "type": "space"}, {"name": "x", "type": "space"}]
            describe(image, {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]})
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_a_plate_stands_for_its_fields(tmp_path, version):
    path = _plate(tmp_path / "screen.zarr", version=version)
    fields = find_images([path])
    assert fields == [path / "A/1/0", path / "A/1/1", path / "B/12/0"]
    assert find_images([tmp_path]) == fields
    assert find_images([path / "A" / "1"]) == fields[:2]
    sources = [open_image(field) for field in fields]
    assert [source.name for source in sources] == ["screen.zarr/A/1/0", "screen.zarr/A/1/1", "screen.zarr/B/12/0"]
    assert [int(source.read(t=0, z=0, channels=[0])[0, 0, 0]) for source in sources] == [1, 2, 3]
    names = output_names(fields, folder=tmp_path, suffix="_labels.tif")
    assert [names[field].name for field in fields] == [
        "screen_A_1_0_labels.tif",
        "screen_A_1_1_labels.tif",
        "screen_B_12_0_labels.tif",
    ]


def test_wells_that_were_not_imaged_are_left_out(tmp_path):
    path = _plate(tmp_path / "screen.zarr", version="0.5", wells={"A/1": ["0"]})
    node = zarr.open_group(path)
    node.attrs["ome"] = {"plate": {"wells": [{"path": "A/1"}, {"path": "H/9"}]}}
    assert fields_of(path) == [path / "A/1/0"]


def test_what_is_no_plate_has_no_fields(tmp_path):
    with LabelWriter(tmp_path / "image.zarr", shape=(4, 4), axes="YX", scale={}, format="zarr") as writer:
        writer.write((), np.zeros((4, 4), np.uint32))
    assert fields_of(tmp_path / "image.zarr") == []


@pytest.mark.parametrize("name", ["../outside", "/etc", "http://example.org/A"])
def test_a_plate_that_points_outside_is_refused(tmp_path, name):
    path = _plate(tmp_path / "screen.zarr", version="0.5")
    zarr.open_group(path).attrs["ome"] = {"plate": {"wells": [{"path": name}]}}
    with pytest.raises(InputError, match="outside the store"):
        fields_of(path)
    np.save(tmp_path / "good.npy", np.zeros((4, 4), np.uint8))
    assert find_images([tmp_path]) == [tmp_path / "good.npy", path]  # which is refused when its turn comes
    with pytest.raises(InputError, match="plate of many images"):
        open_image(path)


def test_a_plate_is_not_opened_as_one_image(tmp_path):
    path = _plate(tmp_path / "screen.zarr", version="0.5")
    with pytest.raises(InputError, match="plate of many images"):
        open_image(path)


def test_damaged_metadata_are_named(tmp_path):
    path = _plate(tmp_path / "screen.zarr", version="0.5")
    content = json.loads((path / "zarr.json").read_text())
    content["attributes"]["ome"]["plate"] = {"wells": [{"row": 1}]}
    (path / "zarr.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="its metadata cannot be read"):
        fields_of(path)
    assert find_images([path]) == [path]


def test_a_broken_store_stops_no_other(tmp_path):
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / "zarr.json").write_text("{")
    np.save(tmp_path / "good.npy", np.zeros((4, 4), np.uint8))
    assert [path.name for path in find_images([tmp_path])] == ["bad.zarr", "good.npy"]


def test_fields_of_plates_of_one_name_keep_their_wells(tmp_path):
    for day in ("day1", "day2"):
        (tmp_path / day).mkdir()
        _plate(tmp_path / day / "plate.zarr", version="0.5", wells={"A/1": ["0"]})
    fields = find_images([tmp_path / "day1", tmp_path / "day2"])
    names = output_names(fields, folder=tmp_path, suffix="_labels.tif")
    assert [names[field].name for field in fields] == [
        "day1_plate.zarr_A_1_0_labels.tif",
        "day2_plate.zarr_A_1_0_labels.tif",
    ]
    plain = _plate(tmp_path / "plate7", version="0.4", wells={"A/1": ["0"]})
    assert output_names(find_images([plain]), folder=tmp_path, suffix="_x")[plain / "A/1/0"].name == "plate7_A_1_0_x"
