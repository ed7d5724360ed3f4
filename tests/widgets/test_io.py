"""What the manifest's commands do: models dropped on the viewer, labels written, labels to paint on."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils.notifications import notification_manager

from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.models import file, library
from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets import _io, _layers, _models


@pytest.fixture
def dropped(tmp_path: Path, card, weights) -> Path:
    path = tmp_path / "desk" / "mine.safetensors"
    path.parent.mkdir()
    file.save(path, card=card, weights=weights)
    return path


def foreign(path: Path) -> Path:
    """A sound safetensors file without a card: one tensor of another program."""
    header = json.dumps({"a": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}, "__metadata__": {"format": "pt"}})
    path.write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(8))
    return path


def read(path: Path) -> list:
    reader = _io.model_reader(str(path))
    assert reader is not None
    return reader(str(path))


def test_a_dropped_model_comes_into_the_library_and_is_chosen(dropped, qtbot) -> None:
    chooser = _models.ModelChooser()
    qtbot.addWidget(chooser)
    assert read(dropped) == [(None,)]
    assert library.available()["mine"].read_bytes() == dropped.read_bytes()
    assert chooser.value() == library.available()["mine"]
    later = _models.ModelChooser()
    qtbot.addWidget(later)
    assert later.value() == library.available()["mine"]


def test_a_model_that_is_there_already_is_only_chosen(dropped, qtbot) -> None:
    read(dropped)
    chooser = _models.ModelChooser()
    qtbot.addWidget(chooser)
    chooser.set_value("nuclei")
    assert read(dropped) == [(None,)]
    assert chooser.value() == library.available()["mine"]
    assert len(list(library.user_folder().iterdir())) == 1


def test_another_model_of_a_taken_name_is_chosen_where_it_lies(dropped, card, weights, qtbot) -> None:
    read(dropped)
    before = library.available()["mine"].read_bytes()
    weights["scale"] = np.float32(7).reshape(())
    file.save(dropped, card=card, weights=weights)
    chooser = _models.ModelChooser()
    qtbot.addWidget(chooser)
    read(dropped)
    assert chooser.value() == dropped
    assert library.available()["mine"].read_bytes() == before


def test_a_downloads_name_is_made_fit(dropped) -> None:
    read(dropped.rename(dropped.with_name("mine (1).safetensors")))
    assert "mine _1_" in library.available()


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "text"])
def test_a_broken_file_is_an_error_and_copies_nothing(dropped, damage) -> None:
    data = bytearray(dropped.read_bytes())
    data[-3] ^= 1
    dropped.write_bytes({"cut": bytes(data[:-9]), "bit": bytes(data), "empty": b"", "text": b"hello world"}[damage])
    assert read(dropped) == [(None,)]
    told = notification_manager.records[-1]
    assert (told.severity.value, "mine.safetensors" in told.message) == ("error", True)
    assert "Traceback" not in told.message
    assert not library.user_folder().exists()


def test_files_of_others_and_stacks_are_declined(dropped, tmp_path) -> None:
    assert _io.model_reader(str(foreign(tmp_path / "llm.safetensors"))) is None
    assert _io.model_reader(str(tmp_path / "a.tif")) is None
    assert _io.model_reader([str(dropped), str(dropped)]) is None
    assert _io.model_reader([str(dropped)]) is not None


@pytest.mark.parametrize(("ending", "write"), [("tif", _io.write_labels_tiff), ("zarr", _io.write_labels_zarr)])
@pytest.mark.parametrize("letters", ["yx", "zyx", "tyx", "tzyx"])
def test_written_labels_come_back_with_size_and_axes(tmp_path, ending, write, letters) -> None:
    data = np.random.default_rng(0).integers(0, 70_000, (2, 3, 8, 9)[-len(letters) :])
    scale = (60.0, 2.0, 0.5, 0.25)[-len(letters) :] if letters != "tyx" else (60.0, 0.5, 0.25)
    units = ["s" if letter == "t" else "um" for letter in letters]
    layer = Labels(data, scale=scale, units=units, axis_labels=tuple(letters))
    path = tmp_path / f"x.{ending}"
    assert write(str(path), *layer.as_layer_data_tuple()[:2]) == [str(path)]
    np.testing.assert_array_equal(read_labels(path), data)
    source = open_image(path)
    assert source.axes.letters == letters.upper()
    assert source.scale == pytest.approx(
        {letter.upper(): size for letter, size in zip(letters, scale, strict=True) if letter != "t"}
    )


def test_lazy_multiscale_and_nameless_labels_are_written_too(tmp_path) -> None:
    data = da.from_array(np.arange(2 * 8 * 8).reshape(2, 8, 8), chunks=(1, 8, 8))
    layer = Labels([data, data[:, ::2, ::2]])
    _io.write_labels_tiff(str(tmp_path / "m.tif"), *layer.as_layer_data_tuple()[:2])
    np.testing.assert_array_equal(read_labels(tmp_path / "m.tif"), data)
    with pytest.raises(InputError, match="5 axes"):
        _io.write_labels_tiff(str(tmp_path / "5.tif"), np.zeros((1, 1, 1, 2, 2), int), {})
    assert sorted(path.name for path in tmp_path.glob("*.tif")) == ["m.tif"]


def test_writing_again_replaces_the_whole_file(tmp_path) -> None:
    for value in (1, 2):
        _io.write_labels_tiff(str(tmp_path / "a.tif"), np.full((4, 4), value), {})
    assert read_labels(tmp_path / "a.tif").max() == 2


def test_new_labels_lie_over_the_image_ready_to_paint() -> None:
    viewer = ViewerModel()
    image = viewer.add_image(
        np.zeros((2, 4, 8, 9)), scale=(1, 2, 0.5, 0.5), axis_labels=("c", "z", "y", "x"), rotate=20
    )
    _io.add_training_labels(viewer)
    labels = viewer.layers[-1]
    assert (labels.data.shape, labels.data.dtype, labels.mode) == ((4, 8, 9), np.int32, "paint")
    assert labels.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(labels.data_to_world((1, 2, 3)), image.data_to_world((0, 1, 2, 3))[1:])
    labels.paint((0, 1, 1), 1)
    assert labels.data.max() == 1


def test_new_labels_of_a_huge_image_take_memory_when_painted(monkeypatch) -> None:
    monkeypatch.setattr(_layers, "LARGE", 100)
    viewer = ViewerModel()
    viewer.add_image(da.zeros((3, 64, 64), chunks=(1, 64, 64)), axis_labels=("z", "y", "x"), contrast_limits=(0, 1))
    _io.add_training_labels(viewer)
    labels = viewer.layers[-1]
    assert not isinstance(labels.data, np.ndarray)
    labels.paint((1, 5, 5), 3)
    assert np.asarray(labels.data[1]).max() == 3


def test_without_an_image_it_is_said() -> None:
    viewer = ViewerModel()
    _io.add_training_labels(viewer)
    assert notification_manager.records[-1].message.startswith("Open an image first")
    assert len(viewer.layers) == 0


def test_a_model_folder_can_be_preferred(tmp_path, monkeypatch, dropped, qtbot) -> None:
    monkeypatch.delenv("UNETSEG_MODELS")
    (tmp_path / "shared").mkdir()
    shutil.copy(dropped, tmp_path / "shared")
    library.prefer_folder(tmp_path / "shared")
    try:
        assert "mine" in library.available()
    finally:
        library.prefer_folder(None)
