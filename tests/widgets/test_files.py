import numpy as np
import pytest

from napari_unetseg.images.write import LabelWriter
from napari_unetseg.widgets import _files
from napari_unetseg.widgets._files import label_reader, read_result


@pytest.fixture(params=["tiff", "zarr"])
def result(request, tmp_path):
    """Labels of three planes with a pixel size, as `segment` writes them."""
    path = tmp_path / ("stack_labels.tif" if request.param == "tiff" else "stack_labels.zarr")
    scale = {"Z": 2.0, "Y": 0.5, "X": 0.5}
    with LabelWriter(path, shape=(3, 40, 50), axes="ZYX", scale=scale, format=request.param) as writer:
        for plane in range(3):
            writer.write((plane,), np.full((40, 50), plane, np.uint32))
    return path


def test_a_result_opens_as_labels_with_its_pixel_size(result):
    assert label_reader(str(result)) is read_result
    assert label_reader([str(result)]) is read_result
    [(data, options, kind)] = read_result(str(result))
    assert kind == "labels"
    assert options["name"] == "stack labels"
    assert options["scale"] == (2.0, 0.5, 0.5)
    np.testing.assert_array_equal(np.asarray(data)[:, 0, 0], [0, 1, 2])


def test_a_large_result_opens_as_levels_that_are_read_as_one_looks(tmp_path, monkeypatch):
    path = tmp_path / "slide_labels.zarr"
    with LabelWriter(path, shape=(2100, 2100), axes="YX", scale={}, format="zarr") as writer:
        writer.write((), np.ones((2100, 2100), np.uint32))
    picture = _files.label_picture
    monkeypatch.setattr(_files, "label_picture", lambda found: picture(found, limit=2**20))
    [(levels, _, _)] = read_result(str(path))
    assert [level.shape for level in levels] == [(2100, 2100), (1050, 1050), (525, 525)]
    assert not any(isinstance(level, np.ndarray) for level in levels)


def test_what_is_no_label_image_is_left_to_others(tmp_path):
    np.save(tmp_path / "x_labels.tif.npy", np.zeros((4, 4), np.float32))
    (tmp_path / "broken_labels.tif").write_bytes(b"no picture")
    assert label_reader(str(tmp_path / "broken_labels.tif")) is None
    assert label_reader(str(tmp_path / "x_labels.tif.npy")) is None
    assert label_reader(["a_labels.tif", "b_labels.tif"]) is None


def test_a_result_of_classes_opens_with_their_names(result):
    [(_, options, _)] = read_result(str(result))
    assert options["metadata"] == {"unetseg": {}}
    result.with_name("stack_objects.csv").write_text("label,class,area_px,share\n0,background,5,0.5\n1,rim,5,0.5\n")
    [(_, options, _)] = read_result(str(result))
    assert options["metadata"] == {"unetseg": {"classes": ["background", "rim"]}}
