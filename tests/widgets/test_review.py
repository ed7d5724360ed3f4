"""The Review dock walks through objects, edits them as undo steps, and leaves nothing behind when it is closed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from app_model.types import KeyBinding
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unetseg.images import layouts
from napari_unetseg.labels.measure import measure_objects
from napari_unetseg.widgets._camera import camera_of
from napari_unetseg.widgets._layers import METADATA
from napari_unetseg.widgets._segment_region import has_rectangle
from napari_unetseg.widgets.review import ReviewDock

N, P = KeyBinding.from_str("N"), KeyBinding.from_str("P")


def field() -> np.ndarray:
    """1: two discs that hang together, 2 and 3: discs, 4: a ring, 5: a speck at the border."""
    rows, columns = np.indices((80, 120))
    labels = np.zeros((80, 120), np.int32)
    for label, (y, x), radius in (
        (1, (20, 20), 9),
        (1, (20, 36), 9),
        (2, (20, 70), 9),
        (3, (20, 90), 9),
        (4, (60, 30), 10),
    ):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = label
    labels[58:62, 28:32] = 0
    labels[77:80, 100:103] = 5
    return labels


@pytest.fixture
def viewer(qtbot):
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).random((80, 120)).astype(np.float32), name="cells")
    viewer.add_labels(field(), name="cells labels")
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    """Show the dock, with all objects listed."""
    dock = ReviewDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    qtbot.waitUntil(lambda: dock.session.objects is not None, timeout=10000)
    yield dock
    dock.hide()
    dock.session.shut_down()


def labels_of(viewer) -> Labels:
    return viewer.layers["cells labels"]


def visit_all(dock, press) -> list[int]:
    """Press a button as long as it leads on; return the labels visited."""
    visited = []
    while not visited or visited[-1] != dock.session.current[1]:
        visited.append(dock.session.current[1])
        press()
    return visited


def test_next_goes_through_all_objects_and_back(dock, viewer):
    dock.order.setCurrentIndex(1)  # smallest first
    dock.next.click()
    assert visit_all(dock, dock.next.click) == [5, 2, 3, 4, 1]
    assert "no further" in dock.message.text.text()
    assert visit_all(dock, dock.previous.click) == [1, 4, 3, 2, 5]
    layer = labels_of(viewer)
    assert layer.selected_label == 5
    np.testing.assert_allclose(camera_of(viewer).center[1:], (78, 101), atol=0.6)


def test_the_doubtful_come_first_and_the_tooltip_says_by_what(dock, viewer, qtbot):
    dock.next.click()
    assert dock.session.current[1] in (1, 5)
    assert "no column 'confidence'" in dock.order.toolTip()
    labels_of(viewer).features = {"index": [1, 2, 3, 4, 5], "confidence": [1, 1, 0.2, 1, 1]}
    with qtbot.waitSignal(dock.session.job.finished, timeout=10000):
        dock.session.survey()
    dock.session.current = None
    dock.next.click()
    assert dock.session.current == (0, 3)
    assert "1 - confidence" in dock.order.toolTip()


def test_accepting_is_kept_in_the_features_and_counted(dock, viewer):
    dock.next.click()
    first = dock.session.current[1]
    dock.accept.click()
    assert dock.done.format() == "1 of 5 reviewed"
    features = labels_of(viewer).features
    assert features.loc[features["index"] == first, "reviewed"].tolist() == [True]
    assert dock.session.current[1] != first


@pytest.mark.parametrize("edit", ["merge", "split", "fill", "delete"])
def test_every_edit_is_one_undo_step_and_the_list_follows(dock, viewer, qtbot, edit):
    layer, session, before = labels_of(viewer), dock.session, field()
    session.go_to((0, {"merge": 2, "split": 1, "fill": 4, "delete": 3}[edit]))
    match edit:
        case "merge":
            session.merge_with([3])
            expected = (4, {0, 1, 2, 4, 5})
        case "split":
            session.split_along(np.array([[5.0, 28.0], [35.0, 28.0]]))
            expected = (6, {0, 1, 2, 3, 4, 5, 6})
        case "fill":
            dock.tools.fill.click()
            expected = (5, {0, 1, 2, 3, 4, 5})
            assert layer.data[60, 30] == 4
        case "delete":
            dock.tools.remove.click()
            expected = (4, {0, 1, 2, 4, 5})
            assert session.current[1] != 3
    assert (session.objects.total, set(np.unique(layer.data))) == expected
    assert not np.array_equal(layer.data, before)
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    qtbot.waitUntil(lambda: session.objects.total == 5, timeout=2000)
    layer.redo()
    qtbot.waitUntil(lambda: session.objects.total == expected[0], timeout=2000)


def test_what_an_undo_brings_back_is_the_current_object_again(dock, viewer):
    dock.order.setCurrentIndex(1)
    dock.next.click()
    deleted = dock.session.current
    dock.session.delete()
    assert dock.session.current != deleted
    labels_of(viewer).undo()
    assert dock.session.current == deleted
    assert "object in review" in viewer.layers
    labels_of(viewer).redo()
    assert not dock.session.objects.items[deleted].is_there


def test_measured_features_follow_edits_and_undo(dock, viewer, qtbot):
    layer, session = labels_of(viewer), dock.session
    image = viewer.layers["cells"].data[None]
    before = measure_objects(layer.data, image, scale={}).assign(confidence=0.5, reviewed=False)
    layer.features = before.rename(columns={"label": "index"})
    with qtbot.waitSignal(session.job.finished, timeout=10000):
        session.survey()
    session.go_to((0, 3))
    dock.accept.click()
    session.go_to((0, 2))
    session.merge_with([3])
    measured = measure_objects(layer.data, image, scale={}).rename(columns={"label": "index"})
    pd.testing.assert_frame_equal(layer.features[list(measured)], measured)
    assert layer.features["confidence"].isna().tolist() == [False, True, False, False]
    layer.undo()
    qtbot.waitUntil(lambda: session.objects.total == 5, timeout=2000)
    pd.testing.assert_frame_equal(
        layer.features, before.rename(columns={"label": "index"}).assign(reviewed=[False, False, True, False, False])
    )


def test_a_line_drawn_cuts_and_its_layer_is_gone(dock, viewer, qtbot):
    dock.tools.split.click()
    lines = viewer.layers["split line"]
    assert viewer.layers.selection.active is lines
    assert lines.metadata[METADATA]["role"] == "split line"
    lines.add_lines(np.array([[5.0, 28.0], [35.0, 28.0]]))
    qtbot.waitUntil(lambda: lines not in viewer.layers, timeout=2000)
    assert 6 in labels_of(viewer).data
    assert not dock.tools.split.isChecked()
    assert viewer.layers.selection.active is labels_of(viewer)
    dock.tools.split.click()
    viewer.layers.remove("split line")  # the user gives up in another way
    assert not dock.tools.split.isChecked()


def test_what_cannot_be_done_is_said_and_changes_nothing(dock, viewer):
    dock.session.go_to((0, 2))
    dock.guarded(lambda: dock.session.split_along(np.array([[1.0, 60.0], [1.0, 64.0]])))
    assert "crosses no object" in dock.message.text.text()
    dock.tools.fill.click()
    assert "no holes" in dock.message.text.text()
    np.testing.assert_array_equal(labels_of(viewer).data, field())


def test_keys_and_clicks_belong_to_the_dock_only_while_it_is_shown(dock, viewer, qtbot):
    layer = labels_of(viewer)
    assert N in viewer.keymap
    assert P in layer.keymap
    layer.keymap[N](layer)
    assert dock.session.current is not None
    dock.close()
    for provider in (viewer, layer):
        assert N not in provider.keymap
        assert P not in provider.keymap
    assert not [one for one in layer.mouse_drag_callbacks if "EditTools" in repr(one)]


def test_painting_lists_the_objects_again(dock, viewer, qtbot):
    layer = labels_of(viewer)
    dock.session._settle.setInterval(1)
    layer.brush_size = 5
    layer.paint((70, 70), 9)
    qtbot.waitUntil(lambda: (0, 9) in dock.session.objects.items, timeout=10000)


def test_a_dock_opened_again_shows_the_same_review(dock, viewer, qtbot):
    dock.next.click()
    dock.accept.click()
    current = dock.session.current
    dock.close()
    again = ReviewDock(viewer)
    qtbot.addWidget(again)
    assert again.session.current == current
    assert again.done.format() == "1 of 5 reviewed"
    assert again.labels.value() is labels_of(viewer)


def test_a_frame_is_around_the_object_in_review_and_goes_with_the_dock(dock, viewer, qtbot):
    dock.order.setCurrentIndex(1)
    dock.next.click()
    dock.next.click()  # object 2, of radius 9 around (20, 70)
    frame = viewer.layers["object in review"]
    ((corners,), active) = frame.data, viewer.layers.selection.active
    np.testing.assert_array_equal([corners.min(0), corners.max(0)], [[8.5, 58.5], [31.5, 81.5]])
    assert active is labels_of(viewer)
    np.testing.assert_array_equal(frame.scale, labels_of(viewer).scale)
    viewer.layers.remove(frame)
    dock.next.click()
    assert len(viewer.layers["object in review"].data) == 1
    dock.hide()
    assert "object in review" not in viewer.layers
    dock.show()
    assert "object in review" in viewer.layers
    for _ in range(5):
        dock.session.delete()
    assert "object in review" not in viewer.layers
    labels_of(viewer).undo()
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    assert not viewer.layers
    qtbot.waitUntil(lambda: dock.session._focus._labels is None, timeout=5000)


def test_an_object_of_a_stack_is_framed_in_its_planes_and_nobody_else_takes_the_frame(viewer, qtbot):
    stack = np.zeros((6, 40, 50), np.int32)
    stack[2:5, 10:20, 30:35] = 1
    viewer.layers.clear()
    image = viewer.add_image(stack > 0, name="stack", scale=(2, 0.5, 0.5))
    viewer.add_labels(stack, name="objects", scale=(2, 0.5, 0.5))
    dock = ReviewDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    qtbot.waitUntil(lambda: dock.session.objects is not None, timeout=10000)
    dock.next.click()
    frame = viewer.layers["object in review"]
    assert sorted(corners[0, 0] for corners in frame.data) == [2, 3, 4]
    assert not has_rectangle(viewer)
    assert dock.image.value() is image
    dock.hide()
    dock.session.shut_down()


def test_layers_may_be_renamed_and_removed_at_any_time(dock, viewer):
    dock.next.click()
    labels_of(viewer).name = "mine"
    dock.reset_choices()
    dock.next.click()
    viewer.layers.clear()
    dock.reset_choices()
    assert not dock.next.isEnabled()
    assert "Nothing to review" in dock.facts.text()
    dock._on_next()
    dock._on_accept()
    assert "no object is chosen" in dock.message.text.text()


def test_a_field_is_stored_as_files_and_as_layers_in_its_place(dock, viewer, qtbot, tmp_path):
    image, labels = viewer.layers["cells"], labels_of(viewer)
    for layer in (image, labels):
        layer.scale = (0.5, 0.5)
        layer.units = ("µm", "µm")
    dock.reset_choices()
    assert not dock.field.add.isEnabled()
    dock.field.folder.setText(str(tmp_path / "set"))
    dock.field.region.setCurrentIndex(1)  # the whole plane
    for name in ("cells", "cells-2"):
        with qtbot.waitSignal(dock.session.saving.finished, timeout=10000):
            dock.field.add.click()
        pair = [layer for layer in viewer.layers if layer.metadata.get(METADATA, {}).get("pair") == name]
        assert {layer.metadata[METADATA]["part"] for layer in pair} == {"image", "labels"}
        assert all(layer.metadata[METADATA]["role"] == "training pair" for layer in pair)
        assert all(tuple(layer.scale) == (0.5, 0.5) for layer in pair)
        np.testing.assert_array_equal(viewer.layers[f"{name} labels"].data, field())
    assert len(layouts.pair_files(tmp_path / "set" / "images", tmp_path / "set" / "labels")) == 2


def test_a_stack_and_a_time_series_go_to_the_right_slice(qtbot, tmp_path):
    viewer = ViewerModel()
    series = np.zeros((3, 40, 40), np.uint8)
    series[0, 5:10, 5:10] = series[2, 25:30, 20:26] = 1
    viewer.add_image(series.astype(np.float32), name="series")
    layer = viewer.add_labels(series, name="series labels")
    dock = ReviewDock(viewer)
    qtbot.addWidget(dock)
    dock.show()
    dock.axes.setCurrentIndex(1)  # time points
    qtbot.waitUntil(lambda: dock.session.objects is not None and dock.session.objects.total == 2, timeout=10000)
    dock.session.go_to((2, 1))
    assert viewer.dims.current_step[0] == 2
    dock.session.delete()
    assert layer.data[2].max() == 0
    assert layer.data[0].max() == 1
    assert dock.session.current == (0, 1)
    dock.field.folder.setText(str(tmp_path))
    with qtbot.waitSignal(dock.session.saving.finished, timeout=10000):
        dock.field.add.click()
    names = [one.name for one in viewer.layers if one.metadata.get(METADATA, {}).get("part") == "labels"]
    assert len(names) == 1
    assert names[0].startswith("series_t0")


def click(layer, *places) -> None:
    """Press at the first place, move over the others, release at the last; screen and data have the same pixels."""

    class Event:
        dims_displayed = (0, 1)

        def __init__(self, kind, place):
            self.type, self.position, self.pos = kind, place, place

    event = Event("mouse_press", places[0])
    for callback in layer.mouse_drag_callbacks:
        if "EditTools" in repr(callback):
            gesture = callback(layer, event)
            next(gesture, None)
            for place in places[1:]:
                event.type, event.position, event.pos = "mouse_move", place, place
                next(gesture, None)
            event.type = "mouse_release"
            next(gesture, None)


def test_a_click_chooses_a_drag_does_not_and_a_merge_takes_the_next_click(dock, viewer):
    layer = labels_of(viewer)
    layer.mode = "pan_zoom"
    click(layer, (20, 70))
    assert dock.session.current == (0, 2)
    click(layer, (20, 90), (40, 10))
    click(layer, (0, 0))
    click(layer, (-5, 300))
    assert dock.session.current == (0, 2)
    dock.tools._on_menu_about_to_show()
    texts = [action.text() for action in dock.tools.menu.actions()]
    assert texts[0] == "the object I click next"
    dock.tools.menu.actions()[0].trigger()
    click(layer, (20, 90))
    assert layer.data[20, 90] == 2
    click(layer, (60, 22))
    assert dock.session.current == (0, 4)


@pytest.mark.screen
def test_in_a_real_window_the_keys_work_and_go_with_the_dock(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_labels(field(), name="cells labels")
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="review")
    qtbot.waitUntil(lambda: dock.session.objects is not None, timeout=10000)
    canvas = viewer.window._qt_viewer.canvas
    for key in "nnp":
        canvas._key_map_handler.press_key(key.upper())
        canvas._key_map_handler.release_key(key.upper())
    assert dock.session.current == dock.session.sequence()[0]
    viewer.window.remove_dock_widget(dock)
    assert N not in viewer.keymap


@pytest.mark.screen
def test_the_frame_is_seen_around_the_object(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    layer = viewer.add_labels(field(), name="cells labels", opacity=0)
    dock = ReviewDock(viewer)
    viewer.window.add_dock_widget(dock, name="review")
    qtbot.waitUntil(lambda: dock.session.objects is not None, timeout=10000)
    dock.next.click()
    shot = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    rows, columns = np.nonzero((abs(shot - [0xF0, 0xE4, 0x42]) < 60).all(-1))
    item = dock.session.objects.items[dock.session.current]
    around = [(side.stop - side.start + 4) * viewer.camera.zoom for side in item.box]
    assert [np.ptp(rows), np.ptp(columns)] == pytest.approx(around, abs=6)
    assert layer in viewer.layers
