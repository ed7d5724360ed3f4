"""The Segment dock: what people do before, during and after a run."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from napari.utils import progress
from qtpy.QtCore import Qt
from tests.tasks.test_scaled import squares
from tests.tasks.test_segment import make_model, stack

from napari_unetseg.images.read import read_labels
from napari_unetseg.models import file, library
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import JobError
from napari_unetseg.schema.events import LabelsPart, TileDone
from napari_unetseg.tasks import diameter
from napari_unetseg.tasks import forecast as forecasts
from napari_unetseg.tasks.model import load_model, weights_of
from napari_unetseg.widgets import _segment_session
from napari_unetseg.widgets._segment_session import SegmentSession
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets.segment import SegmentDock

WAIT = 20_000


@pytest.fixture(autouse=True)
def model_files(_own_model_folder, monkeypatch) -> Path:
    """In the user's folder: bright, which takes bright pixels for cells, and bright3d and bright2, of two channels."""
    folder = library.user_folder()
    folder.mkdir(parents=True)
    for name, options in (("bright", {}), ("bright3d", {"ndim": 3}), ("bright2", {"channels": 2})):
        model = make_model(**options)
        file.save(folder / f"{name}.safetensors", card=model.card, weights=weights_of(model.network))
    monkeypatch.setattr(forecasts, "EDGES", {2: (32, 32), 3: (4, 16, 16)})
    monkeypatch.setattr(_segment_session, "SETTLE", 20)
    return folder


@pytest.fixture
def viewer(qapp):
    """A viewer without its window, which takes seconds."""
    viewer = ViewerModel()
    yield viewer
    session_of(viewer, SegmentSession).shut_down()


@pytest.fixture
def open_dock(qtbot):
    def open_dock(viewer, *, model: str = "bright") -> SegmentDock:
        dock = SegmentDock(viewer)
        if not hasattr(viewer, "window"):  # else the window closes it
            qtbot.addWidget(dock)
        dock.model.set_value(model)
        dock.device.setCurrentIndex(dock.device.findData("cpu"))
        return dock

    return open_dock


def run(dock: SegmentDock, qtbot) -> None:
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()


def results(viewer) -> list[Labels]:
    return [layer for layer in viewer.layers if isinstance(layer, Labels)]


def test_a_run_adds_labels_in_place_with_a_table_and_the_facts(viewer, open_dock, qtbot) -> None:
    layer = viewer.add_image(
        stack(3, 20, 24), name="cells", scale=(2, 0.5, 0.5), units=("µm",) * 3, translate=(1, 2, 3), rotate=30
    )
    dock = open_dock(viewer)
    assert dock.image.facts.text() == "Z 3 · Y 20 · X 24 · uint16\npixel 0.5 µm, 2 µm in Z"
    run(dock, qtbot)
    (labels,) = results(viewer)
    np.testing.assert_array_equal(labels.data > 0, layer.data > 500)
    assert labels.data.dtype.itemsize == 4
    np.testing.assert_allclose(labels._data_to_world.affine_matrix, layer._data_to_world.affine_matrix)
    assert labels.axis_labels == ("z", "y", "x")
    assert sorted(labels.features["index"]) == sorted(set(np.unique(labels.data)) - {0})
    assert "area_um2" in labels.features
    facts = labels.metadata["unetseg"]
    assert (facts["role"], facts["source"], facts["model"]) == ("result", "cells", "bright")
    assert facts["decoding"]["threshold"] == 0.5
    assert dock.progress.text.text().startswith("Done in")
    assert dock.refine.count.text() == "5 objects"
    assert dock.run.isEnabled()


def test_the_sample_is_one_click_away_where_there_is_no_image(viewer, open_dock, qtbot) -> None:
    viewer.add_points(np.zeros((1, 2)))
    dock = open_dock(viewer)
    assert not dock.run.isEnabled()
    assert "no image" in dock.forecast.text()
    assert dock.sample.isVisibleTo(dock)
    dock.sample.click()
    assert not dock.sample.isVisibleTo(dock)
    assert dock.run.isEnabled()


def test_what_cannot_work_says_why_before_it_is_started(viewer, open_dock) -> None:
    viewer.add_image(np.zeros((20, 24), np.uint8))
    dock = open_dock(viewer, model="bright3d")
    assert "3D model" in dock.forecast.text()
    dock.model.set_value("bright2")
    assert "2 channels" in dock.forecast.text()
    dock.model.set_value("bright")
    assert dock.run.isEnabled()
    dock.image.set_axes("YZ")
    assert "lack Y or X" in dock.forecast.text()
    dock.image.set_axes("YX")
    dock.region.set_value("box")
    assert "rectangle" in dock.forecast.text()
    assert not dock.run.isEnabled()


def test_channels_are_chosen_where_there_are_more_than_the_model_reads(viewer, open_dock, qtbot) -> None:
    plane = stack(20, 24)
    viewer.add_image(np.stack([np.zeros_like(plane), plane]), name="two")
    dock = open_dock(viewer)
    dock.image.set_axes("CYX")
    (box,) = dock.image.channels
    box.setCurrentIndex(1)
    run(dock, qtbot)
    (labels,) = results(viewer)
    np.testing.assert_array_equal(labels.data > 0, plane > 500)


def test_colours_a_dask_array_and_several_resolutions(viewer, open_dock, qtbot) -> None:
    plane = stack(20, 24)
    main, computed = threading.main_thread(), []

    def block(values: np.ndarray) -> np.ndarray:
        computed.append(threading.current_thread())
        return values

    lazy = dask.array.from_array(plane, chunks=10).map_blocks(block, dtype=plane.dtype, meta=plane[:0, :0])
    rgb = np.stack([plane // 4] * 3, -1).astype(np.uint8)
    for data, options in ((rgb, {"rgb": True}), ([lazy, plane[::2, ::2]], {"multiscale": True}), (lazy, {})):
        viewer.add_image(data, name="it", contrast_limits=None if "rgb" in options else (0, 1000), **options)
        computed.clear()  # napari itself computes what it shows
        dock = open_dock(viewer)
        run(dock, qtbot)
        assert main not in computed
        (labels,) = results(viewer)
        np.testing.assert_array_equal(labels.data > 0, plane > 500)
        viewer.layers.clear()


def test_a_rectangle_is_drawn_where_there_is_none(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(3, 20, 24), scale=(2, 0.5, 0.5))
    dock = open_dock(viewer)
    dock.region.set_value("box")
    assert not dock.run.isEnabled()
    dock.region.draw.click()
    shapes = viewer.layers[-1]
    assert (shapes.mode, dock.region.draw.isVisibleTo(dock)) == ("add_rectangle", True)
    shapes.add_rectangles(np.array([[0, 0, 0], [0, 0, 5], [0, 10, 5], [0, 10, 0]]))
    qtbot.waitUntil(dock.run.isEnabled, timeout=WAIT)
    assert not dock.region.draw.isVisibleTo(dock)
    assert dock.region.meaning.text() == "20 × 10 px · in all planes"


@pytest.mark.parametrize(("word", "planes"), [("slice", [1]), ("box", [0, 1, 2])])
def test_a_region_is_filled_in_and_the_rest_kept(viewer, open_dock, qtbot, word, planes) -> None:
    image = stack(3, 20, 24)
    viewer.add_image(image, name="cells", scale=(2, 0.5, 0.5))
    viewer.add_shapes([np.array([[0, 0], [0, 5], [10, 5], [10, 0]])], shape_type="rectangle")  # world: 20 x 10 px
    viewer.dims.set_point(0, 2)
    dock = open_dock(viewer)
    dock.region.set_value(word)
    run(dock, qtbot)
    (labels,) = results(viewer)
    expected = np.zeros_like(image, bool)
    columns = slice(0, 10) if word == "box" else slice(None)
    expected[planes, :, columns] = image[planes, :, columns] > 500
    np.testing.assert_array_equal(labels.data > 0, expected)
    before = labels.data.copy()
    viewer.dims.set_point(0, 0)
    dock.region.set_value("slice")
    run(dock, qtbot)
    assert results(viewer) == [labels]
    np.testing.assert_array_equal(labels.data[1:], before[1:])
    np.testing.assert_array_equal(labels.data[0] > 0, image[0] > 500)
    assert sorted(labels.features["index"]) == sorted(set(np.unique(labels.data)) - {0})


def test_running_again_updates_the_layer_as_one_undo_step(viewer, open_dock, qtbot) -> None:
    layer = viewer.add_image(stack(20, 24), name="cells")
    user = viewer.add_labels(np.full((20, 24), 9, np.uint8), name="cells labels")
    dock = open_dock(viewer)
    run(dock, qtbot)
    labels = results(viewer)[-1]
    assert labels.name == "cells labels [1]"
    before = labels.data.copy()
    layer.data = np.roll(layer.data, 3, axis=0)
    layer.name, labels.name = "renamed", "mine now"
    run(dock, qtbot)
    assert results(viewer) == [user, labels]
    np.testing.assert_array_equal(labels.data > 0, layer.data > 500)
    assert (user.data == 9).all()
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    labels.redo()
    np.testing.assert_array_equal(labels.data > 0, layer.data > 500)
    viewer.layers.remove(labels)
    run(dock, qtbot)
    assert len(results(viewer)) == 2
    assert results(viewer)[-1] is not labels


def test_a_hidden_result_is_shown_when_it_is_made_anew(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    results(viewer)[0].visible = False
    run(dock, qtbot)
    assert [layer.visible for layer in results(viewer)] == [True]


def test_corrections_are_kept_and_the_next_run_has_a_layer_of_its_own(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(2, 20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    labels.data_setitem((np.array([1]), np.array([0]), np.array([0])), 99)
    corrected = labels.data.copy()
    dock.region.set_value("slice")  # the first plane, which nobody has touched
    run(dock, qtbot)
    assert results(viewer) == [labels]
    np.testing.assert_array_equal(labels.data[1], corrected[1])
    corrected = labels.data.copy()
    dock.region.set_value("all")
    told = []
    dock.session.told.connect(lambda text, _kind: told.append(text))
    run(dock, qtbot)
    assert [layer.name for layer in results(viewer)] == ["cells labels", "cells labels [1]"]
    assert "'cells labels' was corrected by hand and is kept; the new labels are in 'cells labels [1]'" in told[-1]
    np.testing.assert_array_equal(labels.data, corrected)
    run(dock, qtbot)
    assert len(results(viewer)) == 2


def test_a_deletion_is_a_correction_and_what_was_undone_is_none(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    where = np.nonzero(labels.data == 1)
    labels.data_setitem(where, 0)
    labels.undo()
    run(dock, qtbot)
    assert results(viewer) == [labels]
    labels.redo()  # the run has taken its place
    labels.data_setitem(where, 0)
    run(dock, qtbot)
    assert len(results(viewer)) == 2
    assert not labels.data[where].any()


def test_labels_that_were_replaced_or_copied_are_left_alone(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    labels.data = np.full((20, 24), 7, np.uint32)
    run(dock, qtbot)
    assert len(results(viewer)) == 2
    assert (labels.data == 7).all()


def test_corrections_elsewhere_in_the_plane_do_not_matter(viewer, open_dock, qtbot) -> None:
    layer = viewer.add_image(stack(40, 48), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    labels.data_setitem((np.array([39]), np.array([47])), 99)
    viewer.add_shapes([[[0, 0], [0, 19], [19, 19], [19, 0]]], shape_type="rectangle")
    dock.image.layer.set_value(layer)
    dock.region.set_value("box")
    run(dock, qtbot)
    assert results(viewer) == [labels]
    assert labels.data[39, 47] == 99
    dock.region.set_value("all")
    run(dock, qtbot)
    assert labels.data[39, 47] == 99
    assert len(results(viewer)) == 2


def test_sliders_leave_corrections_alone(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    threshold = dock.refine.sliders["threshold"].value()
    labels.data_setitem((np.array([0]), np.array([0])), 99)
    corrected = labels.data.copy()
    dock.refine.sliders["threshold"].setValue(0.2)
    qtbot.wait(300)
    assert dock.refine.sliders["threshold"].value() == threshold
    assert "corrected by hand" in dock.refine.note.text()
    assert dock.decoding.value().threshold == threshold
    np.testing.assert_array_equal(labels.data, corrected)
    labels.undo()
    dock.refine.sliders["threshold"].setValue(0.2)
    qtbot.waitUntil(lambda: dock.session.refiner.applied.threshold == 0.2, timeout=WAIT)
    assert dock.refine.note.text() == ""


def test_a_layer_too_narrow_for_many_ids_is_left_alone(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    facts = {"unetseg": {"role": "result", "source": "cells"}}
    narrow = viewer.add_labels(np.zeros((20, 24), np.uint8), metadata=facts)
    run(open_dock(viewer), qtbot)
    assert not narrow.data.any()
    assert results(viewer)[-1].data.dtype.itemsize == 4


def endless(order, *, result, **_):
    """A run that shows a finished plane, then a tile of the next one, then waits for ever."""

    def task():
        yield LabelsPart((slice(0, 1), slice(0, 1), slice(0, 20), slice(0, 24)), np.full((20, 24), 1), is_final=True)
        yield LabelsPart((slice(0, 1), slice(1, 2), slice(0, 9), slice(0, 9)), np.full((9, 9), 2))
        while True:
            time.sleep(0.002)
            yield TileDone(1, 4)

    return task


def test_layers_may_go_and_docks_be_reopened_while_it_runs(viewer, open_dock, qtbot, monkeypatch) -> None:
    layer = viewer.add_image(stack(3, 20, 24), name="cells")
    dock = open_dock(viewer)
    with monkeypatch.context() as patch:
        patch.setattr(_segment_session, "segment_task", endless)
        dock.run.click()
        dock.run.click()
        qtbot.waitUntil(lambda: dock.session.fraction == 0.25, timeout=WAIT)
    assert not dock.run.isEnabled()
    viewer.layers.remove(layer)
    again = open_dock(viewer)
    assert again.session is dock.session
    assert again.progress.isVisibleTo(again)
    assert "25 %" in again.progress.text.text()
    with qtbot.waitSignal(again.session.job.finished, timeout=WAIT):
        again.cancel.click()
        assert again.cancel.text() == "Stopping…"
    (labels,) = results(viewer)
    assert (labels.data[0] == 1).all()
    assert not labels.data[1:].any()
    assert "after 1 of 3 planes" in again.progress.text.text()


def test_an_image_removed_during_the_run_still_gets_its_labels(viewer, open_dock, qtbot) -> None:
    image = stack(3, 20, 24)
    layer = viewer.add_image(image, name="cells")
    dock = open_dock(viewer)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()
        viewer.layers.remove(layer)
        gc.collect()
    np.testing.assert_array_equal(results(viewer)[0].data > 0, image > 500)


def test_while_it_runs_again_the_last_result_can_be_seen_and_not_touched(viewer, open_dock, qtbot, monkeypatch) -> None:
    viewer.add_image(stack(3, 20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    with monkeypatch.context() as patch:
        patch.setattr(_segment_session, "segment_task", endless)
        dock.run.click()
    panel = dock.refine
    touching = [*panel.sliders.values(), panel.table, panel.save, panel.review]
    assert panel.isVisibleTo(dock)
    assert not any(part.isEnabled() for part in touching)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.cancel.click()
    assert all(part.isEnabled() for part in (panel.table, panel.save, panel.review))


def test_nothing_is_left_of_a_run_stopped_before_its_first_plane(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()
        dock.cancel.click()
    assert not results(viewer)
    assert "nothing is changed" in dock.progress.text.text()
    assert viewer.layers.selection.active is viewer.layers[0]
    run(dock, qtbot)
    assert len(results(viewer)) == 1


@pytest.mark.parametrize("error", [RuntimeError("shape"), JobError("the model is damaged")])
def test_an_error_is_shown_and_the_buttons_are_back(viewer, open_dock, qtbot, monkeypatch, error) -> None:
    def broken(order, **_):
        def task():
            yield TileDone(1, 4)
            raise error

        return task

    viewer.add_image(stack(20, 24))
    dock = open_dock(viewer)
    with monkeypatch.context() as patch:
        patch.setattr(_segment_session, "segment_task", broken)
        run(dock, qtbot)
    assert str(error) in dock.message.text.text()
    assert dock.run.isEnabled()
    assert not dock.cancel.isEnabled()
    run(dock, qtbot)
    assert len(results(viewer)) == 1


def test_the_forecast_is_measured_and_follows_the_region(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(3, 200, 240))
    dock = open_dock(viewer)
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)
    assert "this CPU" in dock.forecast.text()
    whole = dock.session.forecast
    dock.region.set_value("slice")
    qtbot.waitUntil(lambda: dock.session.forecast not in (None, whole), timeout=WAIT)
    assert dock.session.forecast.labels == whole.labels // 3
    dock.device.setCurrentIndex(dock.device.findData("cuda"))
    qtbot.waitUntil(lambda: not dock.run.isEnabled(), timeout=WAIT)
    assert "CUDA" in dock.forecast.text()


def test_views_take_as_many_times_as_long_and_stay_chosen_when_a_slider_moves(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(2, 20, 24), name="cells")
    dock = open_dock(viewer)
    qtbot.waitUntil(lambda: dock.session.forecast is not None, timeout=WAIT)
    alone = dock.session.forecast.pace
    dock.decoding.set_value(dock.decoding.value().replace(views=8))
    qtbot.waitUntil(lambda: dock.session.forecast is not None and dock.session.forecast.pace != alone, timeout=WAIT)
    assert dock.session.forecast.pace == alone.of_views(8)
    run(dock, qtbot)
    (labels,) = results(viewer)
    assert labels.metadata["unetseg"]["decoding"]["views"] == 8
    dock.decoding.set_value(dock.decoding.value().replace(views=2))
    dock.refine.sliders["threshold"].setValue(0.6)
    assert dock.session.refiner.wanted.views == 8  # the kept maps are those of eight
    assert (dock.decoding.value().views, dock.decoding.value().threshold) == (2, 0.6)
    qtbot.waitUntil(lambda: dock.session.refiner.applied.threshold == 0.6, timeout=WAIT)
    assert labels.metadata["unetseg"]["decoding"]["views"] == 8
    assert dock.decoding._fields["views"].native.toolTip().endswith("takes that many times as long. [views]")


def test_three_axes_make_cells_of_a_stack_and_are_refined_as_volumes(viewer, open_dock, qtbot) -> None:
    image = stack(6, 20, 24)
    image[0, 12:14, 4:6] = 1000  # a small one
    viewer.add_image(image, name="cells", scale=(2, 1, 1), units=("µm",) * 3)
    dock = open_dock(viewer)
    dock.decoding.set_value(dock.decoding.value().replace(three_axes=True))
    run(dock, qtbot)
    (labels,) = results(viewer)
    np.testing.assert_array_equal(labels.data > 0, image > 500)
    assert dock.refine.count.text() == "3 objects"
    dock.refine.sliders["min_size"].setValue(6)
    qtbot.waitUntil(lambda: dock.session.refiner.applied.min_size == 6, timeout=WAIT)
    assert not labels.data[0, 12:14, 4:6].any()
    assert len(np.unique(labels.data)) == 3
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)


def test_three_axes_that_make_no_sense_are_said_before_a_run(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24), name="plane")
    dock = open_dock(viewer)
    dock.decoding.set_value(dock.decoding.value().replace(three_axes=True))
    qtbot.waitUntil(lambda: "no Z axis" in dock.forecast.text(), timeout=WAIT)
    assert not dock.run.isEnabled()
    dock.decoding._fields["link_slices"].native.setChecked(True)
    assert "exclude each other" in dock.decoding.problem
    assert not dock.run.isEnabled()
    dock.decoding._fields["three_axes"].native.setChecked(False)
    qtbot.waitUntil(dock.run.isEnabled, timeout=WAIT)
    dock.decoding.set_value(DecodingConfig(z_step=2))
    qtbot.waitUntil(lambda: "'Z step' 2 is for 'Three axes'" in dock.forecast.text(), timeout=WAIT)
    assert not dock.run.isEnabled()


def test_a_model_that_usually_looks_along_three_axes_takes_a_plane_as_one(
    viewer, open_dock, qtbot, model_files
) -> None:
    model = load_model(model_files / "bright.safetensors")
    card = model.card.replace(name="across", decoding=DecodingConfig(min_size=16, three_axes=True))
    file.save(model_files / "across.safetensors", card=card, weights=weights_of(model.network))
    image = stack(6, 20, 24)
    viewer.add_image(image[0], name="plane")
    dock = open_dock(viewer, model="across")
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)
    run(dock, qtbot)
    assert "segmented as a plane" in dock.message.text.text()
    np.testing.assert_array_equal(results(viewer)[0].data > 0, image[0] > 500)
    volume = viewer.add_image(image, name="volume")  # the model on its device is for planes yet
    dock.reset_choices()
    dock.image.layer.set_value(volume)
    qtbot.waitUntil(dock.run.isEnabled, timeout=WAIT)
    run(dock, qtbot)
    assert dock.refine.count.text() == "2 objects"
    np.testing.assert_array_equal(results(viewer)[1].data > 0, image > 500)


def test_a_forecast_cut_short_by_the_run_comes_after_it(viewer, open_dock, qtbot) -> None:
    viewer.add_image(stack(20, 24))
    dock = open_dock(viewer)
    run(dock, qtbot)
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)


def scaled_dock(viewer, open_dock, folder: Path) -> SegmentDock:
    """A dock with four squares of 40 px and a model that has learnt 12 px."""
    model = load_model(folder / "bright.safetensors")
    card = model.card.replace(name="small", object_diameter=12, decoding=DecodingConfig(min_size=9))
    file.save(folder / "small.safetensors", card=card, weights=weights_of(model.network))
    viewer.add_image(squares(40), name="cells")
    return open_dock(viewer, model="small")


def test_a_diameter_is_measured_told_and_measured_anew_next_time(
    viewer, open_dock, qtbot, model_files, monkeypatch
) -> None:
    def measure(*_args: object, **_kwargs: object):
        yield TileDone(0, 1)
        return 40.0

    monkeypatch.setattr(diameter, "measure_diameter", measure)
    dock = scaled_dock(viewer, open_dock, model_files)
    assert dock.decoding.value() == DecodingConfig(min_size=9, diameter="auto")
    run(dock, qtbot)
    (labels,) = results(viewer)
    assert len(np.unique(labels.data)) == 5
    assert "shrunk to 0.3" in dock.message.text.text()
    assert "cells: measured 40 px" in dock.decoding._fields["diameter"].native.toolTip()
    facts = labels.metadata["unetseg"]["decoding"]
    assert (facts["diameter"], facts["min_size"]) == (40, 100)
    assert dock.refine.sliders["min_size"].value() == 100
    dock.refine.sliders["threshold"].setValue(0.6)
    qtbot.waitUntil(lambda: dock.session.refiner.applied.threshold == 0.6, timeout=WAIT)
    assert dock.session.refiner.applied.min_size == 100
    assert dock.decoding.value() == DecodingConfig(threshold=0.6, min_size=9, diameter="auto")


def test_a_diameter_is_typed_and_a_foolish_one_is_told(viewer, open_dock, qtbot, model_files) -> None:
    dock = scaled_dock(viewer, open_dock, model_files)
    typed = dock.decoding._fields["diameter"].native
    typed.setEditText("2000")
    qtbot.waitUntil(lambda: "from 3 to 96" in dock.forecast.text(), timeout=WAIT)
    typed.setEditText("40 px")
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)
    run(dock, qtbot)
    assert dock.session.order.decoding.diameter == 40
    assert len(np.unique(results(viewer)[0].data)) == 5


def test_sliders_decode_anew_without_the_network(viewer, open_dock, qtbot, monkeypatch) -> None:
    image = stack(3, 20, 24)
    image[0, 12:14, 4:6] = 1000  # a small one
    viewer.add_image(image, name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    before = labels.data.copy()
    assert dock.refine.isVisibleTo(dock)
    assert dock.refine.count.text() == "6 objects"
    monkeypatch.setattr("napari_unetseg.tasks.predict.Predictor.predict", None)
    dock.refine.sliders["min_size"].setValue(10)
    qtbot.waitUntil(lambda: dock.refine.count.text() == "5 objects", timeout=WAIT)
    assert not labels.data[0, 12:14, 4:6].any()
    np.testing.assert_array_equal(labels.data[:, :10], before[:, :10])  # the others keep their ids
    assert len(labels.features) == 5
    assert labels.metadata["unetseg"]["decoding"]["min_size"] == 10
    assert dock.decoding.value().min_size == 10
    labels.undo()
    np.testing.assert_array_equal(labels.data, before)
    dock.advanced.expand()
    thresholds = dock.decoding._fields["threshold"].native
    assert not thresholds.isVisibleTo(dock)  # the sliders are there for it
    viewer.add_image(image, name="other")
    dock.reset_choices()
    dock.image.layer.set_value(viewer.layers["other"])
    assert thresholds.isVisibleTo(dock)


def test_what_is_not_kept_is_said_and_applied_by_a_run(viewer, open_dock, qtbot, monkeypatch) -> None:
    from napari_unetseg.tasks.recall import MapCache

    monkeypatch.setattr(_segment_session, "new_cache", lambda: MapCache(budget=3 * 20 * 24 * 2))  # one plane
    image = stack(3, 20, 24)
    viewer.add_image(image, name="cells")
    viewer.dims.set_point(0, 0)
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    dock.refine.sliders["min_size"].setValue(17)
    qtbot.waitUntil(lambda: not labels.data[0].any() and not dock.session.refiner.job.is_running, timeout=WAIT)
    assert labels.data[1].any()
    assert dock.refine.apply.isVisibleTo(dock)
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.refine.apply.click()
    assert not labels.data.any()
    assert not dock.refine.apply.isVisibleTo(dock)


def test_a_rolled_and_a_3d_view_change_nothing(viewer, open_dock, qtbot) -> None:
    image = stack(3, 20, 24)
    viewer.add_image(image, name="cells")
    dock = open_dock(viewer)
    viewer.dims.order = (2, 0, 1)
    dock.region.set_value("view")
    assert "canvas does not show Y and X" in dock.forecast.text()
    viewer.dims.ndisplay = 3
    dock.region.set_value("all")
    run(dock, qtbot)
    np.testing.assert_array_equal(results(viewer)[0].data > 0, image > 500)


def test_two_viewers_have_a_result_each(viewer, open_dock, qtbot) -> None:
    other = ViewerModel()
    for one in (viewer, other):
        one.add_image(stack(20, 24), name="cells")
    docks = [open_dock(one) for one in (viewer, other)]
    run(docks[1], qtbot)
    assert not results(viewer)
    assert len(results(other)) == 1
    docks[1].session.shut_down()


def test_labels_are_saved_with_corrections(viewer, open_dock, qtbot, tmp_path) -> None:
    viewer.add_image(stack(3, 20, 24), name="cells")
    dock = open_dock(viewer)
    run(dock, qtbot)
    (labels,) = results(viewer)
    labels.data[0, 0, 0] = 77
    with qtbot.waitSignal(dock.session.saver.finished, timeout=WAIT):
        dock.session.save(tmp_path / "out.ome.tif")
    np.testing.assert_array_equal(read_labels(tmp_path / "out.ome.tif"), labels.data)
    assert "Saved" in dock.message.text.text()


def test_a_hundred_gigabytes_are_segmented_where_one_looks(viewer, open_dock, qtbot) -> None:
    plane = stack(20, 24)
    huge = dask.array.broadcast_to(np.tile(plane, (16, 16)), (500_000, 320, 384), chunks=(100, 320, 384))
    assert huge.nbytes > 100e9
    viewer.add_image(huge, name="huge", contrast_limits=(0, 1000))
    viewer.dims.set_point(0, 400_000)
    dock = open_dock(viewer)
    qtbot.waitUntil(lambda: "About" in dock.forecast.text(), timeout=WAIT)
    assert "Larger than memory: segmented block by block into a file that you choose." in dock.forecast.text()
    dock.region.set_value("slice")
    assert "Larger" not in dock.forecast.text()
    run(dock, qtbot)
    (labels,) = results(viewer)
    assert labels.data.shape == (1, 320, 384)
    np.testing.assert_array_equal(labels.data[0] > 0, np.tile(plane, (16, 16)) > 500)
    assert labels.translate[0] == 400_000
    viewer.dims.set_point(0, 300_000)
    dock.reset_choices()
    run(dock, qtbot)
    assert [layer.translate[0] for layer in results(viewer)] == [400_000, 300_000]


@pytest.mark.screen
def test_progress_shows_in_the_activity_dock_and_goes(make_napari_viewer, open_dock, qtbot, monkeypatch) -> None:
    """After a cancel, and when the window closes on a run."""
    viewer = make_napari_viewer()
    viewer.add_image(stack(3, 20, 24), name="cells")
    dock = open_dock(viewer)
    viewer.window.add_dock_widget(dock)
    monkeypatch.setattr(_segment_session, "segment_task", endless)
    dock.run.click()
    qtbot.waitUntil(lambda: dock.session.fraction == 0.25, timeout=WAIT)
    assert [bar.n for bar in progress._all_instances] == [250]
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.cancel.click()
    assert not progress._all_instances
    dock.run.click()
    session = dock.session
    qtbot.waitUntil(lambda: bool(progress._all_instances), timeout=WAIT)
    viewer.close()
    qtbot.waitUntil(lambda: not session.job.is_running, timeout=5000)
    assert not progress._all_instances


@pytest.mark.screen
def test_table_and_review_are_one_click_away(make_napari_viewer, open_dock, qtbot) -> None:
    viewer = make_napari_viewer()
    layer = viewer.add_image(stack(20, 24), name="cells")
    dock = open_dock(viewer)
    viewer.window.add_dock_widget(dock)
    run(dock, qtbot)
    (labels,) = results(viewer)
    viewer.layers.selection.active = layer
    dock.refine.table.click()
    dock.refine.table.click()
    names = [name for name in viewer.window.dock_widgets if "Features table" in name]
    table = viewer.window.dock_widgets[names[0]]
    opened = getattr(table, "native", table).parent()
    assert len(names) == 1
    assert viewer.layers.selection.active is labels
    assert opened.parent().dockWidgetArea(opened) == Qt.DockWidgetArea.BottomDockWidgetArea
    dock.refine.review.click()
    (review,) = [one for name, one in viewer.window.dock_widgets.items() if "Review" in name]
    assert (review.labels.value(), review.image.value()) == (labels, layer)


@pytest.mark.screen
def test_the_result_is_seen_in_colours_where_the_cells_are(make_napari_viewer, open_dock, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_image(stack(20, 24), name="cells", colormap="gray")
    dock = open_dock(viewer)
    viewer.window.add_dock_widget(dock)
    run(dock, qtbot)
    (labels,) = results(viewer)
    labels.opacity = 1
    viewer.reset_view()
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    has_colour = np.ptp(shot, axis=-1) > 20
    assert len(np.unique(shot[has_colour], axis=0)) >= len(labels.features)
    pixels = np.count_nonzero(labels.data) * viewer.camera.zoom**2
    assert has_colour.sum() == pytest.approx(pixels, rel=0.1)
    labels.visible = False
    assert not (np.ptp(viewer.screenshot(flash=False)[..., :3].astype(int), axis=-1) > 20).any()
