"""The Batch dock lists images, drives the command line's task, and survives what people do meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from napari.layers import Image, Labels
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDropEvent

from napari_unetseg.images.read import read_labels
from napari_unetseg.images.write import write_image
from napari_unetseg.models import file, library
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig, TargetConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.widgets import _batch_session
from napari_unetseg.widgets._batch_session import BatchSession
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets.batch import BatchDock

WAIT = 20_000


@pytest.fixture(scope="module")
def model_file(tmp_path_factory) -> Path:
    """A network of nothing but noise: it gives some objects, always the same."""
    import torch

    from napari_unetseg.networks import registry
    from napari_unetseg.tasks.model import weights_of

    torch.manual_seed(1)
    config = NetworkConfig(width=2, depth=1, out_channels=3)
    card = ModelCard(
        name="toy", network=config, target=TargetConfig(kind="boundary"), decoding=DecodingConfig(min_size=0)
    )
    path = tmp_path_factory.mktemp("model") / "toy.safetensors"
    file.save(path, card=card, weights=weights_of(registry.build(config)))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """a.tif, b.tif, c.tif of 32 x 40 pixels of 0.5 µm."""
    folder = tmp_path / "in"
    folder.mkdir()
    for index, name in enumerate("abc"):
        pixels = np.random.default_rng(index).integers(0, 999, (32, 40), np.uint16)
        write_image(folder / f"{name}.tif", pixels, axes="YX", scale={"Y": 0.5, "X": 0.5})
    return folder


@pytest.fixture
def viewer(qapp, model_file):
    """A viewer without its window, which takes seconds."""
    library.user_folder().mkdir(parents=True)
    shutil.copy(model_file, library.user_folder())
    viewer = ViewerModel()
    yield viewer
    session_of(viewer, BatchSession).shut_down()
    _batch_session._writing.clear()


@pytest.fixture
def dock(viewer, qtbot) -> BatchDock:
    dock = BatchDock(viewer)
    qtbot.addWidget(dock)
    dock.model.set_value("toy")
    return dock


def take(dock: BatchDock, folder: Path, qtbot) -> None:
    with qtbot.waitSignal(dock.session.finder.finished, timeout=WAIT):
        dock.files.take_folder(folder)


def run(dock: BatchDock, qtbot) -> None:
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()


def states(dock: BatchDock) -> list[str]:
    return [row.state for row in dock.session.rows]


def test_an_empty_dock_says_what_to_do(dock) -> None:
    assert not dock.run.isEnabled()
    assert "Choose a folder with images" in dock.forecast.text()
    assert not dock.cancel.isEnabled()


def test_a_folder_is_segmented_and_its_results_are_as_the_table_says(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    assert states(dock) == ["waiting"] * 3
    assert dock.forecast.text() == "3 images to segment."
    run(dock, qtbot)
    assert states(dock) == ["done"] * 3
    for row in dock.session.rows:
        assert row.output == images / "segmented" / f"{row.path.stem}_labels.tif"
        assert read_labels(row.output).max() == row.objects
    assert dock.progress.text.text().startswith("3 done: ")
    assert "All images have a result" in dock.forecast.text()
    assert not dock.run.isEnabled()


def test_the_report_of_the_folder_can_be_opened(dock, images, qtbot, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(
        "napari_unetseg.widgets.batch.QDesktopServices.openUrl", lambda url: opened.append(url.toLocalFile())
    )
    take(dock, images, qtbot)
    assert not dock.report.isVisibleTo(dock)
    run(dock, qtbot)
    assert dock.report.isVisibleTo(dock)
    dock.report.click()
    assert opened == [str(images / "segmented" / "unetseg_report.html")]
    assert "3 images, 3 done" in Path(opened[0]).read_text("utf-8")


def test_a_bad_file_is_named_and_the_rest_is_done(dock, images, qtbot) -> None:
    (images / "b.tif").write_bytes(b"II*\0 no TIFF")
    take(dock, images, qtbot)
    run(dock, qtbot)
    assert states(dock) == ["done", "failed", "done"]
    assert "b.tif" in dock.message.text.text()
    tooltip = dock.table.model().index(1, 0).data(3)  # Qt.ToolTipRole
    assert "Failed: " in tooltip
    assert dock.run.isEnabled()  # to try it again


def test_what_is_done_is_left_out_or_replaced_as_chosen(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    run(dock, qtbot)
    (images / "segmented" / "c_objects.csv").unlink()
    written = {path: path.stat().st_mtime_ns for path in (images / "segmented").iterdir()}
    take(dock, images, qtbot)
    assert states(dock) == ["has result", "has result", "waiting"]
    assert dock.found.text().startswith("3 images, 2 with a result")
    run(dock, qtbot)
    assert states(dock) == ["has result", "has result", "done"]
    assert (images / "segmented" / "a_labels.tif").stat().st_mtime_ns == written[images / "segmented" / "a_labels.tif"]
    dock.existing.setCurrentIndex(1)
    assert dock.run.isEnabled()
    run(dock, qtbot)
    assert states(dock) == ["done"] * 3
    assert (images / "segmented" / "a_labels.tif").stat().st_mtime_ns > written[images / "segmented" / "a_labels.tif"]


def test_a_double_click_opens_image_and_labels_in_place_and_once(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    run(dock, qtbot)
    for _ in range(2):
        dock.table.doubleClicked.emit(dock.table.model().index(0, 0))
        qtbot.waitUntil(lambda: not dock.session.opener.is_running, timeout=WAIT)
    image, labels = dock.viewer.layers
    assert (type(image), type(labels)) == (Image, Labels)
    assert (image.name, labels.name) == ("a.tif", "a labels")
    np.testing.assert_array_equal(labels.data, read_labels(images / "segmented" / "a_labels.tif"))
    for layer in (image, labels):
        np.testing.assert_allclose(layer.scale, 0.5)
        assert layer.axis_labels == ("y", "x")
        assert [str(unit) for unit in layer.units] == ["micrometer"] * 2
    assert labels.metadata["unetseg"]["source"] == "a.tif"


def test_a_stack_with_channels_opens_as_a_layer_for_each(dock, images, qtbot) -> None:
    tifffile.imwrite(
        images / "d.ome.tif", np.zeros((3, 2, 16, 16), np.uint16), metadata={"axes": "ZCYX"}, photometric="minisblack"
    )
    take(dock, images, qtbot)
    dock.session.open(3)
    qtbot.waitUntil(lambda: len(dock.viewer.layers) == 2, timeout=WAIT)
    assert [layer.data.shape for layer in dock.viewer.layers] == [(3, 16, 16)] * 2


def test_results_of_other_settings_are_not_mixed_with_new_ones(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    run(dock, qtbot)
    before = {path: path.read_bytes() for path in (images / "segmented").iterdir()}
    next(path for path in before if path.suffix == ".tif").unlink()
    take(dock, images, qtbot)
    dock.decoding.set_value(dock.decoding.value().replace(threshold=0.7))
    run(dock, qtbot)
    assert "from other settings (threshold 0.5, now 0.7)" in dock.message.text.text()
    assert "choose 'replace its result' at 'If done'" in dock.message.text.text()
    assert all(path.read_bytes() == before[path] for path in (images / "segmented").iterdir())


def test_cancel_keeps_what_is_done_and_the_next_run_does_the_rest(dock, images, qtbot) -> None:
    take(dock, images, qtbot)

    def stop(number: int) -> None:
        if dock.session.rows[number].state == "done":
            dock.cancel.click()

    dock.session.row_changed.connect(stop)
    run(dock, qtbot)
    dock.session.row_changed.disconnect(stop)
    assert "done" in states(dock)
    assert "running" not in states(dock)
    assert dock.progress.text.text().startswith("Stopped. ")
    assert not [path for path in (images / "segmented").iterdir() if path.suffix == ".part"]
    if dock.run.isEnabled():  # the run may have been over when the click arrived
        run(dock, qtbot)
    assert dock.session.count("done", "has result") == 3


def test_the_dock_may_be_closed_and_opened_while_it_runs(viewer, images, qtbot) -> None:
    dock = BatchDock(viewer)
    dock.model.set_value("toy")
    take(dock, images, qtbot)
    session = dock.session
    with qtbot.waitSignal(session.job.finished, timeout=WAIT):
        dock.run.click()
        dock.deleteLater()
        again = BatchDock(viewer)
        qtbot.addWidget(again)
        assert again.session is session
        assert again.cancel.isEnabled()
        assert again.files.value() == session.inputs
    assert states(again) == ["done"] * 3
    assert again.progress.text.text().startswith("3 done")


def test_two_viewers_never_write_into_one_folder_at_once(dock, images, qtbot) -> None:
    window = ViewerModel()
    other = BatchDock(window)
    qtbot.addWidget(other)
    other.model.set_value("toy")
    take(dock, images, qtbot)
    take(other, images, qtbot)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()
        other.run.click()
        assert "another batch writes its results there" in other.message.text.text()
        assert not other.session.job.is_running
    take(other, images, qtbot)
    assert states(other) == ["has result"] * 3


def test_the_folder_may_be_changed_while_it_runs(dock, images, qtbot, tmp_path) -> None:
    take(dock, images, qtbot)
    (tmp_path / "empty").mkdir()
    run_of = dock.session.job
    with qtbot.waitSignal(run_of.finished, timeout=WAIT):
        dock.run.click()
        dock.files.take_folder(tmp_path / "empty")
        assert len(dock.session.rows) == 3
    assert (images / "segmented" / "c_labels.tif").exists()
    qtbot.waitUntil(lambda: not dock.session.finder.is_running, timeout=WAIT)
    assert dock.session.rows == []
    assert "no image found" in dock.found.text()


def test_a_model_that_is_gone_fails_in_words_and_gives_the_buttons_back(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    (library.user_folder() / "toy.safetensors").unlink()
    run(dock, qtbot)
    assert "toy.safetensors" in dock.message.text.text()
    assert dock.run.isEnabled()
    assert states(dock) == ["waiting"] * 3


@pytest.mark.parametrize(
    ("field", "text", "words"), [("axes", "ZZYX", "each once"), ("channels", "one", "counted from 0")]
)
def test_a_field_that_makes_no_sense_says_so_before_the_run(dock, images, qtbot, field, text, words) -> None:
    take(dock, images, qtbot)
    getattr(dock, field).setText(text)
    assert words in dock.forecast.text()
    assert not dock.run.isEnabled()
    getattr(dock, field).setText("")
    assert dock.run.isEnabled()


def test_settings_follow_the_model_and_round_trip(dock, model_file) -> None:
    dock.model.set_value("nuclei")
    assert dock.decoding.value() == file.read_card(library.find("nuclei")).usual_decoding
    dock.model.set_value("toy")
    dock.axes.setText("zyx")
    dock.channels.setText("0, 2")
    dock.memory.set_value(dock.memory.value().replace(memory=1.5))
    settings = dock.value()
    assert settings.memory.bytes == 3 * 2**29
    assert (settings.axes, settings.channels, settings.decoding.min_size) == ("ZYX", (0, 2), 0)
    dock.model.set_value("nuclei")
    dock.set_value(settings)
    assert dock.value() == settings


def test_files_and_patterns_are_understood(dock, images, qtbot) -> None:
    take(dock, images, qtbot)
    with qtbot.waitSignal(dock.session.listed, timeout=WAIT):
        dock.files.pattern.setCurrentText("[ab].tif")
    assert [row.path.name for row in dock.session.rows] == ["a.tif", "b.tif"]
    with qtbot.waitSignal(dock.session.listed, timeout=WAIT):
        dock.files.take_files([images / "c.tif"])
    assert [row.path.name for row in dock.session.rows] == ["c.tif"]


@pytest.mark.parametrize("names", [[""], ["a.tif"], ["a.tif", "b.tif"]])
def test_a_folder_or_files_may_be_dropped(dock, images, qtbot, names) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(images / name)) for name in names])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    with qtbot.waitSignal(dock.session.listed, timeout=WAIT):
        dock.files.dropEvent(QDropEvent(QPointF(5, 5), copy, mime, left, none))
    assert [row.path.name for row in dock.session.rows] == (["a.tif", "b.tif", "c.tif"] if names == [""] else names)
    assert dock.files.output.text() == str(images / "segmented")


def test_what_is_said_of_a_run_goes_with_its_images(dock, images, qtbot, tmp_path) -> None:
    (images / "b.tif").write_bytes(b"II*\0 no TIFF")
    take(dock, images, qtbot)
    run(dock, qtbot)
    assert dock.message.text.text()
    assert dock.forecast.text() == "1 image to try again."
    (tmp_path / "other").mkdir()
    shutil.copy(images / "a.tif", tmp_path / "other")
    take(dock, tmp_path / "other", qtbot)
    assert dock.message.text.text() == dock.progress.text.text() == ""
    assert dock.forecast.text() == "1 image to segment."


def test_closing_the_window_ends_the_run(make_napari_viewer, images, model_file, qtbot) -> None:
    viewer = make_napari_viewer()
    dock = BatchDock(viewer)
    viewer.window.add_dock_widget(dock)
    dock.model.set_value(model_file)
    take(dock, images, qtbot)
    job = dock.session.job
    dock.run.click()
    assert job.is_running
    viewer.close()
    qtbot.waitUntil(lambda: not job.is_running, timeout=5000)
