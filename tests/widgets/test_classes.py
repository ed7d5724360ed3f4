"""Classes in the docks: trained from painted ones, shown as what they are, and kept from what is for objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels
from tests.tasks.test_findings import NAMES, classes_model, noise
from tests.widgets.test_segment import results
from tests.widgets.test_train import disc_image, open_dock, prepare

from napari_unetseg.models import file, library
from napari_unetseg.tasks import forecast as forecasts
from napari_unetseg.tasks.model import weights_of
from napari_unetseg.widgets import _layers, _segment_session
from napari_unetseg.widgets._segment_result import CLASSES
from napari_unetseg.widgets._segment_session import SegmentSession
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets.batch import BatchDock
from napari_unetseg.widgets.evaluate import EvaluateDock
from napari_unetseg.widgets.review import ReviewDock
from napari_unetseg.widgets.segment import SegmentDock
from napari_unetseg.widgets.train import BACKGROUND, NOT_ANNOTATED, SCRATCH

WAIT = 60_000


@pytest.fixture
def any_model(_own_model_folder, monkeypatch) -> str:
    """A model of four classes in the user's folder."""
    model = classes_model()
    library.user_folder().mkdir(parents=True)
    file.save(library.user_folder() / "any.safetensors", card=model.card, weights=weights_of(model.network))
    monkeypatch.setattr(forecasts, "EDGES", {2: (32, 32), 3: (4, 16, 16)})
    monkeypatch.setattr(_segment_session, "SETTLE", 20)
    return "any"


@pytest.fixture
def viewer(qapp):
    viewer = ViewerModel()
    yield viewer
    session_of(viewer, SegmentSession).shut_down()


@pytest.fixture
def segment_dock(viewer, any_model, qtbot) -> SegmentDock:
    viewer.add_image(noise(40, 48), name="cells", scale=(0.5, 0.5), units="um")
    dock = SegmentDock(viewer)
    qtbot.addWidget(dock)
    dock.model.set_value(any_model)
    dock.device.setCurrentIndex(dock.device.findData("cpu"))
    return dock


def segmented(dock: SegmentDock, qtbot) -> Labels:
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.run.click()
    return next(layer for layer in results(dock.session.viewer) if _layers.role_of(layer) == CLASSES)


def test_classes_are_a_layer_of_their_own_with_names_and_areas(viewer, segment_dock, qtbot) -> None:
    layer = segmented(segment_dock, qtbot)
    assert layer.name == "cells classes"
    assert layer.metadata["unetseg"]["classes"] == list(NAMES)
    assert layer.features["class"].tolist() == list(NAMES)
    assert layer.features["index"].tolist() == [0, 1, 2, 3]
    counts = np.bincount(np.asarray(layer.data).ravel(), minlength=4)
    assert layer.features["area_px"].tolist() == counts.tolist()
    assert layer.features["area_um2"].tolist() == pytest.approx(counts / 4)
    panel = segment_dock.refine
    assert panel.tuning.isHidden()
    assert "class" in panel.count.text()
    assert not panel.review.isEnabled()
    assert "no objects" in panel.review.toolTip()
    assert segment_dock.session.cache is None
    assert segmented(segment_dock, qtbot) is layer  # the next run goes into the same layer


def test_classes_never_go_into_a_layer_of_objects(viewer, segment_dock, qtbot) -> None:
    objects = viewer.add_labels(
        np.ones((40, 48), np.uint32), name="cells labels", metadata={"unetseg": {"role": "result", "source": "cells"}}
    )
    assert segmented(segment_dock, qtbot) is not objects
    assert (objects.data == 1).all()


def test_settings_of_objects_are_not_offered(segment_dock, viewer, qtbot, any_model) -> None:
    batch = BatchDock(viewer)
    qtbot.addWidget(batch)
    batch.model.set_value(any_model)
    for dock in (segment_dock, batch):
        fields = dock.decoding._fields.items()
        shown = {name for name, field in fields if dock.decoding.layout().isRowVisible(field.native)}
        assert shown == {"views", "three_axes", "z_step"}
    assert batch.value().is_semantic


def test_review_leaves_classes_alone_and_evaluate_takes_them_for_what_they_are(viewer, segment_dock, qtbot) -> None:
    layer = segmented(segment_dock, qtbot)
    review = ReviewDock(viewer)
    qtbot.addWidget(review)
    assert layer.name not in [review.labels.itemText(index) for index in range(review.labels.count())]
    truth = viewer.add_labels(np.asarray(layer.data).astype(np.int32), name="truth")
    evaluate = EvaluateDock(viewer)
    qtbot.addWidget(evaluate)
    assert (evaluate.labels.value(), evaluate.truth.value()) == (layer, truth)
    assert evaluate.meaning.is_semantic
    evaluate.meaning.setCurrentText("objects")
    assert "'cells classes' holds classes: choose 'Labels are: classes'" in evaluate.why.text()
    assert not evaluate.evaluate.isEnabled()
    evaluate.meaning.setCurrentText("classes")
    with qtbot.waitSignal(evaluate.session.job.finished, timeout=WAIT):
        evaluate.evaluate.click()
    assert evaluate.classes.item(1, 0).text() == "IoU of class 1 (membrane)"
    evaluate.session.shut_down()


def test_evaluate_takes_cells_for_objects(viewer, qtbot) -> None:
    found = np.ones((8, 8), np.int32)
    viewer.add_labels(found, name="cells labels", metadata={"unetseg": {"role": "result", "source": "cells"}})
    viewer.add_labels(found, name="other")
    evaluate = EvaluateDock(viewer)
    qtbot.addWidget(evaluate)
    evaluate.meaning.setCurrentText("classes")
    assert "'cells labels' holds objects: choose 'Labels are: objects'" in evaluate.why.text()
    evaluate.labels.set_value(viewer.layers["cells labels"])
    assert not evaluate.meaning.is_semantic
    evaluate.truth.set_value(viewer.layers["other"])
    assert evaluate.evaluate.isEnabled()


def classes_image() -> tuple[np.ndarray, np.ndarray]:
    """Discs of class 1 and 2 on dark ground, and a stripe of background painted as 9."""
    image, labels = disc_image()
    classes = np.where(labels > 0, 1 + labels % 2, 0)
    classes[30:33] = 9
    return image, classes


@pytest.fixture
def train_dock(viewer, qtbot):
    image, classes = classes_image()
    viewer.add_image(image, name="discs")
    viewer.add_labels(classes, name="painted")
    dock = open_dock(viewer, qtbot)
    dock.meaning.kind.setCurrentText("classes")
    prepare(dock)
    dock.options.background.setValue(9)
    yield dock
    dock.session.shut_down()


def test_painted_classes_become_a_model_that_names_them(train_dock, viewer, qtbot) -> None:
    dock = train_dock
    assert dock.pairs.widgets[0].count.text() == "2 classes"
    assert not dock.meaning.names_field.isHidden()
    assert dock.options.weights.isHidden()
    dock.meaning.names_field.setText("odd, even")
    dock.zero.setCurrentText(NOT_ANNOTATED)
    plan = dock.plan()
    assert (plan.recipe.weights.unlabelled, plan.recipe.weights.believed) == (0, 0)
    assert not plan.reading.has_objects
    with qtbot.waitSignal(dock.session.job.finished, timeout=WAIT):
        dock.train.click()
    assert dock.session.saved is not None, dock.message.text.text()
    card = file.read_card(dock.session.saved)
    assert card.classes == ("background", "odd", "even")
    assert dock.session.history.measure == "IoU"
    assert "IoU" in dock.curves.score_title.text()


def test_a_part_is_held_back_where_all_pixels_have_a_class(train_dock) -> None:
    train_dock.zero.setCurrentText(NOT_ANNOTATED)
    assert train_dock.plan().recipe.validation == 0
    train_dock.zero.setCurrentText(BACKGROUND)
    assert train_dock.plan().recipe.validation > 0


def test_names_that_do_not_fit_are_told(train_dock, qtbot) -> None:
    train_dock.meaning.names_field.setText("only")
    with qtbot.waitSignal(train_dock.session.job.finished, timeout=WAIT):
        train_dock.train.click()
    assert train_dock.session.saved is None
    assert "1 class name (only) for 2 classes" in train_dock.message.text.text()


def test_models_and_meaning_follow_each_other(train_dock, any_model) -> None:
    dock = train_dock
    dock.start.refresh()
    dock.start.set_value(any_model)
    assert dock.meaning.is_semantic
    dock.meaning.kind.setCurrentText("objects")
    assert dock.start.value() == SCRATCH
    assert dock.meaning.names() == ()
    dock.start.set_value(any_model)
    assert dock.meaning.is_semantic
    dock.start.set_value(next(iter(library.bundled())))
    assert not dock.meaning.is_semantic


def test_patches_are_shown_with_the_numbers_of_their_classes(train_dock, viewer, qtbot) -> None:
    plan = replace(train_dock.plan())
    with qtbot.waitSignal(train_dock.session.previews.job.finished, timeout=WAIT):
        train_dock.session.previews.augmentation(plan)
    shown = next(layer for layer in viewer.layers if layer.name == "Augmented labels")
    assert set(np.unique(shown.data)) <= {0, 1, 2, -1}
