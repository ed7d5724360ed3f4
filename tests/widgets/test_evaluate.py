"""The Evaluate dock says what fits before it starts, shows the scores, and paints the mistakes in fixed colours."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_unetseg.schema.words import decimal
from napari_unetseg.tasks.class_scores import named_scores
from napari_unetseg.tasks.evaluate import evaluate, evaluate_series
from napari_unetseg.widgets._camera import camera_of
from napari_unetseg.widgets._evaluate_session import COLOURS
from napari_unetseg.widgets._layers import METADATA
from napari_unetseg.widgets.evaluate import EvaluateDock


def maps() -> tuple[np.ndarray, np.ndarray]:
    """1 found; 2 missed; 3, 4 and 5 merged; 6 split into three; 9 invented."""
    truth = np.zeros((40, 60), np.int32)
    labels = np.zeros_like(truth)
    truth[2:10, 2:10] = labels[2:10, 2:10] = 1
    truth[2:10, 20:28] = 2
    truth[20:30, 2:6], truth[20:30, 6:10], truth[20:30, 10:14] = 3, 4, 5
    labels[20:30, 2:14] = 3
    truth[20:30, 30:42] = 6
    labels[20:30, 30:34], labels[20:30, 34:38], labels[20:30, 38:42] = 6, 7, 8
    labels[2:8, 50:56] = 9
    return labels, truth


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    labels, truth = maps()
    viewer.add_labels(truth, name="truth", scale=(0.5, 0.5))
    viewer.add_labels(labels, name="mine", scale=(0.5, 0.5))
    return viewer


@pytest.fixture
def dock(viewer, qtbot):
    dock = EvaluateDock(viewer)
    qtbot.addWidget(dock)
    yield dock
    dock.session.shut_down()


def run(dock, qtbot):
    with qtbot.waitSignal(dock.session.job.finished, timeout=10000):
        dock.evaluate.click()


def test_scores_are_those_of_the_task_and_mistakes_are_painted(dock, viewer, qtbot):
    assert (dock.labels.value().name, dock.truth.value().name) == ("mine", "truth")
    run(dock, qtbot)
    assert dock.session.result.comparison.scores == evaluate(*maps())
    assert {name: label.text() for name, label in dock.objects.counts.items()} == {
        "missed": "1 missed",
        "spurious": "1 spurious",
        "merged": "3 merged",
        "split": "1 split",
    }
    errors = viewer.layers["mine mistakes"]
    assert tuple(errors.scale) == (0.5, 0.5)
    for value, place, name in ((1, (5, 24), "missed"), (2, (4, 52), "spurious"), (3, (25, 8), "merged")):
        assert errors.data[place] == value
        np.testing.assert_allclose(errors.get_color(value)[:3], _rgb(COLOURS[name]), atol=0.01)
    assert errors.data[25, 36] == 4
    assert errors.data[5, 5] == 0
    assert dock.objects.table.model().rowCount() == 1 + 1 + (3 + 1) + (1 + 3)


def _rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_again_updates_our_layer_and_no_other(dock, viewer, qtbot):
    run(dock, qtbot)
    viewer.layers["mine"].data[2:10, 20:28] = 2
    dock.reset_choices()
    run(dock, qtbot)
    assert [layer.name for layer in viewer.layers] == ["truth", "mine", "mine mistakes"]
    errors = viewer.layers["mine mistakes"]
    assert not (errors.data == 1).any()
    errors.undo()
    assert (errors.data == 1).any()
    assert [dock.labels.itemText(index) for index in range(dock.labels.count())] == ["mine", "truth"]


def test_what_does_not_fit_is_said_before_the_button_can_be_pressed(dock, viewer, qtbot):
    viewer.add_labels(np.zeros((7, 9), int), name="other")
    dock.reset_choices()
    dock.truth.set_value(viewer.layers["other"])
    assert not dock.evaluate.isEnabled()
    assert "40 × 60 and truth 7 × 9" in dock.why.text()
    dock.truth.set_value(viewer.layers["mine"])
    assert "two different" in dock.why.text()
    viewer.layers.clear()
    dock.reset_choices()
    assert "needs two Labels layers" in dock.why.text()


def test_time_points_are_compared_one_by_one(qtbot):
    viewer = ViewerModel()
    labels, truth = (np.stack([one, np.roll(one, 1, axis=0)]) for one in maps())
    viewer.add_labels(truth, name="truth")
    viewer.add_labels(labels, name="mine")
    dock = EvaluateDock(viewer)
    qtbot.addWidget(dock)
    dock.axes.setCurrentIndex(1)
    run(dock, qtbot)
    assert dock.session.result.comparison.scores == evaluate_series(labels, truth)
    row = dock.session.result.comparison.table.query("t == 1 and verdict == 'missed'").iloc[0].to_dict()
    dock.session.look_at(row)
    assert viewer.dims.current_step[0] == 1
    np.testing.assert_allclose(camera_of(viewer).center[1:], (6.5, 23.5))


def test_a_layer_removed_or_renamed_meanwhile_does_no_harm(dock, viewer, qtbot):
    dock.session.evaluate(viewer.layers["mine"], viewer.layers["truth"], axes="YX")
    viewer.layers["mine"].name = "renamed"
    viewer.layers.remove("truth")
    with qtbot.waitSignal(dock.session.job.finished, timeout=10000):
        dock.reset_choices()
    assert "mine mistakes" in viewer.layers
    dock.session.look_at(dock.session.result.comparison.table.iloc[0].to_dict())


def test_an_error_is_shown_and_the_buttons_come_back(dock, viewer, qtbot):
    viewer.layers["mine"].data[0, 0] = -1
    run(dock, qtbot)
    assert "cannot hold -1" in dock.message.text.text()
    assert dock.evaluate.isEnabled()
    assert not dock.progress.isVisibleTo(dock)


def test_a_dock_opened_again_shows_the_last_result(dock, viewer, qtbot):
    run(dock, qtbot)
    again = EvaluateDock(viewer)
    qtbot.addWidget(again)
    assert again.objects.values["f1"].text() == dock.objects.values["f1"].text() != ""
    assert again.objects.table.model().rowCount() == dock.objects.table.model().rowCount()


def test_exports_hold_all_objects_and_all_scores(dock, qtbot, tmp_path, monkeypatch):
    run(dock, qtbot)
    for button, name in ((dock.save_table, "table.csv"), (dock.save_scores, "scores")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        button.click()
    table = pd.read_csv(tmp_path / "table.csv")
    assert len(table) == 6 + 6
    assert set(table["verdict"]) == {"matched", "missed", "spurious", "merged", "split"}
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["mistakes"]["merged"] == 3
    assert scores["labels"] == "mine"


def test_the_curve_follows_the_theme(dock, viewer):
    before = dock.objects.curve.plot.backgroundBrush().color().name()
    viewer.theme = "light"
    assert dock.objects.curve.plot.backgroundBrush().color().name() != before


def test_the_layers_of_mistakes_are_no_choice(dock, viewer, qtbot):
    run(dock, qtbot)
    dock.reset_choices()
    assert viewer.layers["mine mistakes"].metadata[METADATA]["role"] == "mistakes"
    assert dock.labels.count() == dock.truth.count() == 2


def class_maps() -> tuple[np.ndarray, np.ndarray]:
    """A wall of class 1 between two regions of background; the labels have a gap in it."""
    truth = np.zeros((20, 31), np.int32)
    truth[:, 15] = 1
    labels = truth.copy()
    labels[:5] = 0
    return labels, truth


@pytest.fixture
def of_classes(viewer, dock):
    """The dock with the maps of classes in place of those of objects."""
    for name, data in zip(("mine", "truth"), class_maps(), strict=True):
        viewer.layers[name].data = data
    dock.meaning.setCurrentText("classes")
    dock.reset_choices()
    return dock


def rows(dock) -> list[tuple[str, str]]:
    table = dock.classes
    return [(table.item(row, 0).text(), table.item(row, 1).text()) for row in range(table.rowCount())]


def test_classes_are_scored_as_on_the_command_line(of_classes, viewer, qtbot):
    dock = of_classes
    run(dock, qtbot)
    scores = evaluate(*class_maps(), is_semantic=True)
    assert dock.session.result.comparison.scores == scores
    assert rows(dock) == [(score.name, decimal(score.value)) for score in named_scores(scores)]
    shown = dict(rows(dock))
    assert (shown["IoU of class 1"], shown["pixel error"]) == ("0.750", "0.00806")
    assert float(shown["variation of information, merged"]) > 0.5
    assert float(shown["variation of information, split"]) == 0
    assert all(dock.classes.item(row, column).toolTip() for row in range(dock.classes.rowCount()) for column in (0, 1))
    assert dock.title.text() == "mine against truth: 99.2 % of the pixels right"
    assert not dock.classes.isHidden()
    assert dock.objects.isHidden()
    assert [layer.name for layer in viewer.layers] == ["truth", "mine"]


def test_the_result_that_is_shown_is_the_last_one_of_either_kind(of_classes, viewer, qtbot):
    dock = of_classes
    run(dock, qtbot)
    dock.meaning.setCurrentText("objects")
    run(dock, qtbot)
    assert dock.classes.isHidden()
    assert not dock.objects.isHidden()
    dock.meaning.setCurrentText("classes")
    assert not dock.objects.isHidden()  # until the next evaluation
    viewer.layers["truth"].data[:, 20] = 2
    run(dock, qtbot)
    assert rows(dock)[2] == ("IoU of class 2", "0.000")
    assert not any("Rand" in name for name, _ in rows(dock))
    again = EvaluateDock(viewer)
    qtbot.addWidget(again)
    assert rows(again) == rows(dock)


def test_time_points_of_classes_are_pooled(viewer, qtbot):
    labels, truth = (np.stack([one, one]) for one in class_maps())
    viewer.layers.clear()
    viewer.add_labels(truth, name="truth")
    viewer.add_labels(labels, name="mine")
    dock = EvaluateDock(viewer)
    qtbot.addWidget(dock)
    dock.meaning.setCurrentText("classes")
    dock.axes.setCurrentIndex(1)
    run(dock, qtbot)
    scores = dock.session.result.comparison.scores
    assert [row["name"] for row in scores["per_image"]] == ["frame 0", "frame 1"]
    assert scores["voi_merged"] == evaluate(*class_maps(), is_semantic=True)["voi_merged"]


def test_a_map_of_objects_is_refused_as_classes(of_classes, viewer, qtbot):
    viewer.layers["mine"].data[0, 0] = 300
    run(of_classes, qtbot)
    assert "got 300; number the classes 1, 2, ..., or take the labels for objects" in of_classes.message.text.text()
    assert of_classes.evaluate.isEnabled()


def test_a_truth_without_annotation_says_so(of_classes, viewer, qtbot):
    viewer.layers["truth"].data = np.full_like(class_maps()[1], -1)
    run(of_classes, qtbot)
    assert "nothing in the truth is annotated" in of_classes.title.text()
    assert ("IoU of class 0", "–") in rows(of_classes)


def test_scores_of_classes_are_exported(of_classes, qtbot, tmp_path, monkeypatch):
    dock = of_classes
    run(dock, qtbot)
    for button, name in ((dock.save_table, "table.csv"), (dock.save_scores, "scores.json")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, name=name: (str(tmp_path / name), ""))
        button.click()
    table = pd.read_csv(tmp_path / "table.csv")
    assert table["name"].tolist() == [name for name, _ in rows(dock)]
    assert table["meaning"].notna().all()
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["iou"][1] == 0.75
    assert (scores["labels"], "mistakes" in scores) == ("mine", False)
