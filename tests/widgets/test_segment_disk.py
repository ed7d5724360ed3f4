"""Images larger than memory in the Segment dock: onto disk block by block, shown as levels, resumed."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pandas as pd
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Labels
from napari.layers._source import layer_source
from napari.layers.base import Layer
from qtpy.QtWidgets import QFileDialog
from tests.tasks.test_blockwise import spots
from tests.tasks.test_segment import make_model

from napari_unetseg.images import large
from napari_unetseg.images.read import read_labels
from napari_unetseg.models import file, library
from napari_unetseg.schema.errors import JobError
from napari_unetseg.tasks import blockwise, forecast, layout, work
from napari_unetseg.widgets import _layers, _segment_session
from napari_unetseg.widgets._destination import shortened
from napari_unetseg.widgets._segment_session import SegmentSession
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets.evaluate import EvaluateDock
from napari_unetseg.widgets.review import ReviewDock
from napari_unetseg.widgets.segment import SegmentDock

WAIT = 20_000
SMALL = 2**20
"""Bytes in which a block sees about 80 x 80 pixels."""


@pytest.fixture(autouse=True)
def small_memory(_own_model_folder, monkeypatch) -> None:
    """A model that takes bright pixels for cells, and so little memory that images of 100 pixels are large."""
    from napari_unetseg.tasks.model import weights_of

    folder = library.user_folder()
    folder.mkdir(parents=True)
    for name, options in (("bright", {}), ("bright3d", {"ndim": 3}), ("linked", {"link": True})):
        model = make_model(**options)
        file.save(folder / f"{name}.safetensors", card=model.card, weights=weights_of(model.network))
    monkeypatch.setattr(forecast, "EDGES", {2: (32, 32), 3: (4, 16, 16)})
    monkeypatch.setattr(_segment_session, "SETTLE", 20)
    monkeypatch.setattr(large, "LABELS_IN_MEMORY", 4 * 100 * 100)
    monkeypatch.setattr(layout, "margin_of", lambda _model: 16)
    monkeypatch.setattr(layout, "default_memory", lambda *, ndim=2: SMALL if ndim == 2 else 36 * SMALL)


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    yield viewer
    session_of(viewer, SegmentSession).shut_down()


@pytest.fixture
def open_dock(qtbot):
    def open_dock(viewer, *, model: str = "bright") -> SegmentDock:
        dock = SegmentDock(viewer)
        if not hasattr(viewer, "window"):
            qtbot.addWidget(dock)
        dock.model.set_value(model)
        dock.device.setCurrentIndex(dock.device.findData("cpu"))
        dock.tiling.set_value(dock.tiling.value().replace(tile=64, precision="float32"))
        return dock

    return open_dock


def add(viewer: Any, pixels: Any, folder: Path, **options: Any) -> Layer:
    """Add a layer that was read from folder/cells.tif, or so it says."""
    path = folder / "cells.tif"
    path.touch()
    with layer_source(path=str(path)):
        return viewer.add_image(pixels, name="cells", contrast_limits=(0, 1000), **options)


def run(dock: SegmentDock, qtbot) -> None:
    assert dock.run.isEnabled(), dock.forecast.text()
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()


def result(viewer: Any) -> Labels:
    (labels,) = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    return labels


def in_memory(dock: SegmentDock, viewer: Any, qtbot: Any, monkeypatch: Any) -> np.ndarray:
    """Return what the same dock gives in memory."""
    with monkeypatch.context() as ample:
        ample.setattr(large, "LABELS_IN_MEMORY", 2**30)
        run(dock, qtbot)
    labels = result(viewer)
    viewer.layers.remove(labels)
    assert isinstance(labels.data, np.ndarray)
    return labels.data


@pytest.mark.parametrize(
    ("shape", "model"),
    [((130, 101), "bright"), ((3, 130, 101), "linked"), ((40, 72, 70), "bright3d"), ((2, 2, 90, 101), "linked")],
)
def test_the_layer_on_disk_holds_what_a_run_in_memory_gives(
    viewer, open_dock, qtbot, monkeypatch, tmp_path, shape, model
) -> None:
    ndim = len(shape)
    scale, translate = (2.0, 2.0, 0.5, 0.5)[-ndim:], (4.0, 3.0, 2.0, 1.0)[-ndim:]
    layer = add(viewer, spots(*shape), tmp_path, scale=scale, translate=translate, units=("µm",) * ndim)
    dock = open_dock(viewer, model=model)
    dock.image.set_axes("TZYX"[-ndim:])
    whole = in_memory(dock, viewer, qtbot, monkeypatch)
    dock.reset_choices()
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)
    assert "Larger than memory: segmented block by block into cells_labels.zarr." in dock.forecast.text()
    run(dock, qtbot)
    labels = result(viewer)
    assert labels.multiscale
    np.testing.assert_array_equal(np.asarray(labels.data[0]), whole)
    assert labels.name == "cells labels"
    np.testing.assert_allclose(labels._data_to_world.affine_matrix, layer._data_to_world.affine_matrix)
    table = pd.read_csv(tmp_path / "cells_objects.csv")
    assert sorted(labels.features["index"]) == sorted(table["label"]) == sorted(set(np.unique(whole)) - {0})
    facts = labels.metadata["unetseg"]
    assert (facts["role"], facts["source"], facts["model"]) == ("result", "cells", "bright")
    assert facts["file"] == str(tmp_path / "cells_labels.zarr")
    assert "cells_labels.zarr" in dock.message.text.text()


def test_a_lazy_image_is_read_piece_by_piece_and_never_by_the_window(
    viewer, open_dock, qtbot, monkeypatch, tmp_path
) -> None:
    pixels = spots(2, 200, 300)
    threads, now, most = set(), [0], [0]
    lock = threading.Lock()

    def block(values: np.ndarray) -> np.ndarray:
        threads.add(threading.current_thread())
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.001)
        with lock:
            now[0] -= 1
        return values

    lazy = dask.array.from_array(pixels, chunks=(1, 50, 50)).map_blocks(block, dtype="u2", meta=pixels[:0, :0, :0])
    add(viewer, [lazy, lazy[:, ::2, ::2]], tmp_path, multiscale=True)
    dock = open_dock(viewer)
    whole = in_memory(dock, viewer, qtbot, monkeypatch)
    dock.reset_choices()
    threads.clear()  # napari itself computes what it shows
    most[0] = 0
    run(dock, qtbot)
    assert threading.main_thread() not in threads
    assert most[0] < lazy.npartitions
    np.testing.assert_array_equal(np.asarray(result(viewer).data[0]), whole)


def test_what_is_there_is_shown_or_replaced_on_demand(viewer, open_dock, qtbot, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    assert dock.destination.isVisibleTo(dock)
    assert not dock.destination.existing.isVisibleTo(dock)
    run(dock, qtbot)
    labels = result(viewer)
    assert not dock.run.isEnabled()
    assert "is there already" in dock.forecast.text()
    dock.decoding.set_value(dock.decoding.value().replace(min_size=40))
    dock.destination.existing.setCurrentIndex(1)
    run(dock, qtbot)
    assert result(viewer) is labels  # the same layer, which shows the new file
    assert np.bincount(np.asarray(labels.data[0]).ravel())[1:].min() >= 40
    assert len(labels.features) == np.asarray(labels.data[0]).max()
    assert not dock.destination.may_replace  # once only
    viewer.layers.remove(labels)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.destination.show_result.click()
    again = result(viewer)
    np.testing.assert_array_equal(np.asarray(again.data[0]), read_labels(tmp_path / "cells_labels.zarr"))
    assert list(again.features["index"]) == list(labels.features["index"])
    assert "model" not in again.metadata["unetseg"]


def test_a_run_is_stopped_at_once_and_goes_on(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    """Also while a block is decoded, which may take long."""
    add(viewer, spots(130, 201), tmp_path)
    dock, keep, kept = open_dock(viewer), work.Work.keep, []

    def slowly(self: Any, number: int, arrays: Any) -> None:
        kept.append(number)
        if len(kept) == 3:
            time.sleep(3)
        keep(self, number, arrays)

    monkeypatch.setattr(work.Work, "keep", slowly)
    dock.run.click()
    qtbot.waitUntil(lambda: len(kept) == 3, timeout=WAIT)
    began = time.monotonic()
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.cancel.click()
    assert time.monotonic() - began < 2
    assert "press 'Go on'" in dock.progress.text.text()
    assert dock.run.text() == "Go on"
    assert "goes on" in dock.forecast.text()
    assert not [layer for layer in viewer.layers if isinstance(layer, Labels)]
    run(dock, qtbot)
    assert sorted(kept) == list(range(len(kept)))  # nothing twice
    assert read_labels(tmp_path / "cells_labels.zarr").max() == len(result(viewer).features)
    assert dock.run.text() == "Segment"


def test_an_unfinished_run_of_other_settings_is_told(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    with monkeypatch.context() as broken:
        broken.setattr(blockwise, "assemble", lambda *_, **__: (_ for _ in ()).throw(JobError("it broke")))
        run(dock, qtbot)
    assert "it broke" in dock.message.text.text()
    dock.decoding.set_value(dock.decoding.value().replace(min_size=40))
    run(dock, qtbot)
    assert "min_size 0, now 40" in dock.message.text.text()
    assert "choose 'replace its result' at 'If done'" in dock.message.text.text()
    dock.destination.existing.setCurrentIndex(1)
    run(dock, qtbot)
    assert result(viewer).multiscale


def test_a_full_disk_is_told_in_the_dock(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(work, "_write", fail)
        run(dock, qtbot)
    words = dock.message.text.text()
    assert "No space left on device" in words
    assert "make room" in words
    assert "--" not in words
    assert "Failed" in dock.progress.text.text()
    run(dock, qtbot)
    assert result(viewer).multiscale


def test_a_file_is_asked_for_where_none_can_be_suggested(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    viewer.add_image(spots(130, 101), name="cells")
    dock = open_dock(viewer)
    answers = ["", str(tmp_path / "mine")]
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (answers.pop(0), ""))
    dock.run.click()
    assert not dock.session.job.is_running
    run(dock, qtbot)
    assert result(viewer).multiscale
    assert (tmp_path / "mine.zarr").is_dir()
    assert (tmp_path / "mine_objects.csv").is_file()
    assert "mine.zarr is there already" in dock.forecast.text()


def test_a_folder_that_is_not_there_is_told(viewer, open_dock, qtbot, tmp_path) -> None:
    viewer.add_image(spots(130, 101), name="cells")
    dock = open_dock(viewer)
    dock.destination.set_value(tmp_path / "absent" / "mine.zarr")
    run(dock, qtbot)
    assert "mine.zarr" in dock.message.text.text() or "cannot be written" in dock.message.text.text()
    assert dock.run.isEnabled()


def test_results_lie_beside_a_store_and_not_in_it(viewer, open_dock, tmp_path) -> None:
    zarr.create_group(tmp_path / "plate.ome.zarr").create_array("0", shape=(130, 101), dtype="u2", chunks=(50, 50))
    with layer_source(path=str(tmp_path / "plate.ome.zarr" / "0")):
        viewer.add_image(spots(130, 101), name="cells")
    dock = open_dock(viewer)
    assert dock.destination.value().labels == tmp_path / "plate_labels.zarr"


def test_a_region_has_a_file_of_its_own_and_lies_in_its_place(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    add(viewer, spots(3, 140, 150), tmp_path, scale=(2, 0.5, 0.5))
    viewer.add_shapes([[[0, 5, 2.5], [0, 5, 72.5], [0, 65, 72.5], [0, 65, 2.5]]], shape_type="rectangle")
    dock = open_dock(viewer)
    dock.region.set_value("box")
    whole = in_memory(dock, viewer, qtbot, monkeypatch)
    dock.reset_choices()
    run(dock, qtbot)
    labels = result(viewer)
    assert dock.destination.value().labels.name == "cells_y10-130_x5-145_labels.zarr"
    np.testing.assert_array_equal(np.asarray(labels.data[0]), whole[:, 10:130, 5:145])
    np.testing.assert_allclose(labels.translate, (0, 5, 2.5))


def test_memory_is_what_a_person_says(viewer, open_dock, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    assert dock.memory._fields["memory"].native.text() == "auto"
    dock.memory.set_value(dock.memory.value().replace(memory=0.5))
    assert dock.memory.value().bytes == 2**29
    assert dock.memory._fields["memory"].native.text() == "0.50 GiB"
    assert "Larger" not in dock.forecast.text()


def test_such_a_result_is_not_retuned_nor_saved_again(viewer, open_dock, qtbot, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    run(dock, qtbot)
    assert not any(slider.isEnabled() for slider in dock.refine.sliders.values())
    assert "larger than memory" in dock.refine.note.text()
    assert "maps" in dock.refine.sliders["threshold"].toolTip()
    assert not dock.refine.save.isEnabled()
    assert "cells_labels.zarr" in dock.refine.save.toolTip()
    assert dock.decoding._fields["threshold"].native.isVisibleTo(dock.decoding)


def test_a_dock_opened_again_knows_the_file(viewer, open_dock, qtbot, tmp_path) -> None:
    viewer.add_image(spots(130, 101), name="cells")
    dock = open_dock(viewer)
    dock.destination.set_value(tmp_path / "mine.zarr")
    run(dock, qtbot)
    again = open_dock(viewer)
    assert again.destination.value().labels == tmp_path / "mine.zarr"
    assert "mine.zarr is there already" in again.forecast.text()


def test_review_and_evaluate_say_what_they_cannot_do(viewer, open_dock, qtbot, monkeypatch, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    run(dock, qtbot)
    labels = result(viewer)
    truth = viewer.add_labels(np.asarray(labels.data[0]).astype(np.int32), name="truth")
    review, evaluate = ReviewDock(viewer), EvaluateDock(viewer)
    for one in (review, evaluate):
        qtbot.addWidget(one)
    monkeypatch.setattr(_layers, "LARGE", 1000)
    review.labels.set_value(labels)
    review.reset_choices()
    assert "larger than memory" in review.facts.text()
    assert not review.list_objects.isVisibleTo(review)
    evaluate.labels.set_value(labels)
    evaluate.truth.set_value(truth)
    evaluate.reset_choices()
    assert "larger than memory" in evaluate.why.text()
    assert not evaluate.evaluate.isEnabled()


def test_levels_that_fit_are_reviewed_and_compared(viewer, open_dock, qtbot, tmp_path) -> None:
    add(viewer, spots(130, 101), tmp_path)
    dock = open_dock(viewer)
    run(dock, qtbot)
    labels = result(viewer)
    truth = viewer.add_labels(np.asarray(labels.data[0]).astype(np.int32), name="truth")
    review, evaluate = ReviewDock(viewer), EvaluateDock(viewer)
    for one in (review, evaluate):
        qtbot.addWidget(one)
    review.labels.set_value(labels)
    review.session.survey()
    qtbot.waitUntil(lambda: review.session.objects is not None, timeout=WAIT)
    review.next.click()
    review.tools.fill.click()
    assert "cannot be edited" in review.facts.text()
    assert review.session.objects.total == len(labels.features)
    evaluate.labels.set_value(labels)
    evaluate.truth.set_value(truth)
    with qtbot.waitSignal(evaluate.session.job.finished, timeout=WAIT):
        evaluate.evaluate.click()
    assert evaluate.session.result.comparison.scores["f1"] == 1
    review.session.shut_down()
    evaluate.session.shut_down()


def test_a_long_name_is_shortened() -> None:
    assert shortened("a_labels.zarr") == "a_labels.zarr"
    assert shortened("x" * 40 + "_labels.zarr") == "x" * 16 + "…" + "xxx_labels.zarr"[-16:].rjust(16, "x")
