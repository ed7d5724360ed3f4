"""The Train dock: from painted cells to a saved model, and nothing that a person does meanwhile breaks it."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from safetensors import safe_open

from napari_unetseg.models import file, library
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import LossKind, NetworkConfig
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._pairs import OR_CORRECTED, PAINT_SOME
from napari_unetseg.widgets._train_layers import LayerPair, mask_of, problem_of, take_field
from napari_unetseg.widgets.train import BACKGROUND, NOT_ANNOTATED, SCRATCH, TrainDock


def disc_image() -> tuple[np.ndarray, np.ndarray]:
    """Return four bright discs on dark ground, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.zeros((64, 64), np.int32)
    y, x = np.mgrid[:64, :64]
    for index, (row, column) in enumerate([(14, 14), (16, 46), (46, 18), (48, 48)], start=1):
        labels[(y - row) ** 2 + (x - column) ** 2 <= 64] = index
    return (300 + 900 * (labels > 0) + rng.normal(0, 40, labels.shape)).astype(np.uint16), labels


@pytest.fixture
def viewer(qtbot):
    return ViewerModel()


def open_dock(viewer, qtbot) -> TrainDock:
    """Open a dock as napari does: it is told of every change of the layers."""
    dock = TrainDock(viewer)
    qtbot.addWidget(dock)
    for event in ("inserted", "removed", "reordered", "renamed"):
        getattr(viewer.layers.events, event).connect(dock.reset_choices)
    dock.show()
    return dock


@pytest.fixture
def dock(viewer, qtbot):
    """A dock set to a tiny network and a few steps, with an image and two painted cells."""
    image, labels = disc_image()
    viewer.add_image(image, name="discs", scale=(0.5, 0.5), units="um")
    viewer.add_labels(np.where(labels <= 2, labels, 0), name="painted", scale=(0.5, 0.5), units="um")
    dock = open_dock(viewer, qtbot)
    prepare(dock)
    yield dock
    dock.session.shut_down()


def prepare(dock: TrainDock, *, steps: int = 4) -> None:
    dock.start.set_value(SCRATCH)
    dock.options.network.set_value(NetworkConfig(width=2, depth=1))
    dock.options.run.set_value(dock.options.run.value().replace(steps=steps, batch=1, network=NetworkConfig()))
    dock.options.patch.setValue(32)


def run(dock: TrainDock, qtbot) -> None:
    with qtbot.waitSignal(dock.session.job.finished, timeout=60_000):
        dock.train.click()


def test_without_layers_the_dock_says_what_to_do(viewer, qtbot) -> None:
    dock = open_dock(viewer, qtbot)
    assert "Open an image" in dock.hint.text()
    assert not dock.train.isEnabled()
    image = viewer.add_image(disc_image()[0], name="discs", scale=(0.5, 0.5), translate=(3, 4))
    assert dock.hint.text() == PAINT_SOME
    dock.pairs.new_labels.click()
    labels = viewer.layers[-1]
    assert (labels.data.shape, labels.mode, labels.name) == ((64, 64), "paint", "discs painted")
    np.testing.assert_array_equal(labels.translate, image.translate)
    assert not dock.train.isEnabled()
    labels.data_setitem((np.array([5, 5]), np.array([6, 7])), 1)
    qtbot.waitUntil(dock.train.isEnabled, timeout=5000)
    assert dock.pairs.painted().objects == 1


def test_new_labels_are_one_row_also_through_the_viewer_that_napari_hands_out(viewer, qtbot) -> None:
    viewer.add_image(disc_image()[0], name="discs")
    dock = open_dock(PublicOnlyProxy(viewer), qtbot)
    assert dock.pairs.help.text() == PAINT_SOME
    assert dock.pairs.sample.isHidden()
    dock.pairs.new_labels.click()
    assert [row.pair.labels.name for row in dock.pairs.widgets] == ["discs painted"]
    assert dock.pairs.help.isHidden()
    assert not dock.hint.isHidden()


def test_what_a_model_found_is_not_suggested_for_learning_but_can_be_chosen(viewer, qtbot) -> None:
    image, labels = disc_image()
    viewer.add_image(image, name="discs")
    viewer.add_labels(labels, name="discs labels", metadata={"unetseg": {"role": "result", "source": "discs"}})
    dock = open_dock(viewer, qtbot)
    assert dock.pairs.widgets == []
    assert dock.pairs.help.text() == PAINT_SOME + OR_CORRECTED
    viewer.add_labels(np.where(labels <= 2, labels, 0), name="painted")
    assert [row.pair.labels.name for row in dock.pairs.widgets] == ["painted"]
    dock.pairs.add.click()
    assert [row.pair.labels.name for row in dock.pairs.widgets] == ["painted", "discs labels"]


def test_painted_cells_become_a_model(dock, viewer, qtbot) -> None:
    assert dock.zero.currentText() == NOT_ANNOTATED
    saved = []
    dock.session.model_saved.connect(saved.append)
    before = [layer.data.copy() for layer in viewer.layers]
    run(dock, qtbot)
    path = library.user_folder() / "discs-unet.safetensors"
    assert saved == [path]
    card = file.read_card(path)
    assert (card.training.steps, card.training.objects, card.training.scores) == (4, 2, {})
    assert card.pixel_size == (0.5, 0.5)
    assert card.training.recipe.weights.unlabelled > 0  # 0 means "not annotated" here
    assert len(dock.session.history.losses) == 4
    assert dock.session.history.on_training
    assert not dock.after.isHidden()
    assert dock.curves.plots
    assert "training cells" in dock.curves.score_title.text()
    for layer, data in zip(viewer.layers, before, strict=False):
        np.testing.assert_array_equal(layer.data, data)
    assert [entry.name for entry in library.user_folder().iterdir()] == [path.name]
    assert dock.name.text() == "discs-unet-2"  # the next run needs another name
    assert dock.train.isEnabled()
    dock.name.setText("discs-unet")
    dock.name.textEdited.emit("discs-unet")
    assert not dock.train.isEnabled()
    assert "already" in dock.hint.text()


def test_a_double_click_starts_one_run_and_stop_keeps_what_there_is(dock, qtbot) -> None:
    prepare(dock, steps=100_000)
    dock.train.click()
    assert not dock.session.start(replace_name(dock, "other"))
    assert not dock.train.isEnabled()
    qtbot.waitUntil(lambda: dock.session.history.step > 2, timeout=60_000)
    with qtbot.waitSignals([dock.session.model_saved, dock.session.job.finished], timeout=20_000):
        dock.stop.click()
    assert dock.session.saved.exists()
    assert not dock.stop.isEnabled()
    assert dock.train.isEnabled()


def replace_name(dock: TrainDock, name: str):
    return replace(dock.session.plan, name=name)


def test_strokes_and_the_view_are_live_and_layers_may_go(dock, viewer, qtbot) -> None:
    prepare(dock, steps=100_000)
    labels, image = viewer.layers["painted"], viewer.layers["discs"]
    viewer.layers.selection.active = labels
    dock.every.setValue(1)
    dock.train.click()
    qtbot.waitUntil(lambda: "Training preview" in viewer.layers, timeout=60_000)
    preview = viewer.layers["Training preview"]
    assert viewer.layers.selection.active is labels
    assert preview.metadata["unetseg"]["role"] == "preview"
    np.testing.assert_allclose(preview.scale, image.scale)
    labels.data_setitem(tuple(np.mgrid[40:52, 42:54].reshape(2, -1)), 9)
    qtbot.waitUntil(lambda: dock.session.history.objects == 3, timeout=20_000)
    labels.name, image.name = "renamed", "renamed too"
    step = dock.session.history.step
    viewer.layers.remove(labels)
    assert "was removed" in dock.message.text.text()
    viewer.layers.remove(preview)
    qtbot.waitUntil(lambda: dock.session.history.step > step + 3, timeout=20_000)
    with qtbot.waitSignal(dock.session.job.finished, timeout=20_000):
        dock.stop.click()
    assert dock.session.saved.exists()


def test_a_pause_holds_and_a_dock_opened_again_shows_the_same_run(dock, viewer, qtbot) -> None:
    closed = TrainDock(viewer)
    prepare(closed, steps=100_000)
    closed.train.click()
    qtbot.waitUntil(lambda: dock.session.history.step > 1, timeout=60_000)
    closed.pause.click()
    closed.close()
    closed.deleteLater()
    qtbot.wait(300)
    again = open_dock(viewer, qtbot)
    held = again.session.history.step
    assert again.session.job.is_paused
    assert (again.pause.text(), again.train.isEnabled()) == ("Resume", False)
    assert (again.name.text(), again.start.value()) == ("discs-unet", SCRATCH)
    assert not again.progress.isHidden()
    assert [row.pair.labels.name for row in again.pairs.widgets] == ["painted"]
    assert again.curves.plots
    again.pause.click()
    qtbot.waitUntil(lambda: again.session.history.step > held, timeout=20_000)
    with qtbot.waitSignal(again.session.job.finished, timeout=20_000):
        again.stop.click()
    assert (dock.pause.text(), dock.pause.isEnabled()) == ("Pause", False)


def test_a_run_that_the_window_has_cut_short_goes_on(dock, viewer, qtbot) -> None:
    prepare(dock, steps=1000)
    dock.train.click()
    checkpoint = library.user_folder() / "discs-unet.checkpoint.safetensors"
    qtbot.waitUntil(checkpoint.exists, timeout=60_000)
    began = time.monotonic()
    dock.session.shut_down()
    assert time.monotonic() - began < 5
    assert not any(thread.name == "unetseg job" for thread in threading.enumerate())
    assert checkpoint.exists()
    assert "discs-unet.checkpoint" not in library.available()
    frozen = json.loads(safe_open(checkpoint, "np").metadata()["unetseg_checkpoint"])["progress"]["step"]
    again = open_dock(viewer, qtbot)
    prepare(again, steps=frozen + 3)
    assert again.name.text() == "discs-unet"
    assert again.resume.isVisibleTo(again)
    again.resume.setChecked(False)
    assert again.name.text() == "discs-unet-2"
    again.name.setText("discs-unet")
    again.name.textEdited.emit("discs-unet")
    assert "already" in again.hint.text()
    again.resume.setChecked(True)
    run(again, qtbot)
    assert file.read_card(library.user_folder() / "discs-unet.safetensors").training.steps == frozen + 3
    assert not checkpoint.exists()
    assert not again.resume.isVisibleTo(again)


def test_what_cannot_go_on_says_why_and_loses_nothing(dock, viewer, qtbot) -> None:
    prepare(dock, steps=1000)
    dock.train.click()
    checkpoint = library.user_folder() / "discs-unet.checkpoint.safetensors"
    qtbot.waitUntil(checkpoint.exists, timeout=60_000)
    dock.session.shut_down()
    viewer.layers["painted"].data_setitem((np.array([60]), np.array([60])), 1)
    again = open_dock(viewer, qtbot)
    prepare(again, steps=1000)
    run(again, qtbot)
    assert "other images or labels" in again.message.text.text()
    assert "start again under another name" in again.message.text.text()
    assert checkpoint.exists()
    assert (again.name.text(), again.resume.isChecked()) == ("discs-unet-2", False)
    assert again.after.isHidden()
    assert "Saved" not in again.progress.text.text()
    assert again.train.isEnabled()
    again.name.setText("a" * 300)
    again.name.textEdited.emit("a" * 300)
    assert "name" in again.hint.text()


@pytest.mark.parametrize("error", [RuntimeError("shape"), MemoryError()])
def test_an_error_is_shown_and_the_buttons_come_back(dock, qtbot, monkeypatch, error) -> None:
    from napari_unetseg.tasks import train

    def fail(*_args, **_options):
        raise error
        yield

    monkeypatch.setattr(train, "run", fail)
    run(dock, qtbot)
    assert type(error).__name__ in dock.message.text.text()
    assert dock.train.isEnabled()
    assert not dock.stop.isEnabled()
    assert dock.after.isHidden()


def test_previews_show_weights_and_patches_and_replace_only_our_own_layers(dock, viewer, qtbot) -> None:
    viewer.add_image(np.zeros((8, 8)), name="Pixel weights")
    active = viewer.layers.selection.active
    for _ in range(2):
        with qtbot.waitSignal(dock.session.previews.job.finished, timeout=60_000):
            dock.preview_weights.click()
        with qtbot.waitSignal(dock.session.previews.job.finished, timeout=60_000):
            dock.preview_augmentation.click()
    assert not dock.message.text.text()
    roles = [layer.metadata.get("unetseg", {}).get("role") for layer in viewer.layers]
    assert sorted(filter(None, roles)) == ["augmentation", "augmentation", "weights"]
    weights = next(layer for layer, role in zip(viewer.layers, roles, strict=True) if role == "weights")
    assert weights.data.shape == (64, 64)
    assert 0 < weights.data[62, 62] < 0.5 < weights.data[14, 14]
    np.testing.assert_allclose(weights.scale, (0.5, 0.5))
    assert viewer.layers["Pixel weights"].data.shape == (8, 8)
    assert viewer.layers.selection.active is active
    assert "Augmented labels" not in [dock.pairs.widgets[0].labels.itemText(0)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (64, 60)}, "do not show the same pixels"),
        ({"scale": (1.0, 1.0)}, "another scale"),
        ({"translate": (5.0, 0.0)}, "another translate"),
    ],
)
def test_labels_of_other_pixels_are_refused(viewer, changes, message) -> None:
    image = viewer.add_image(np.zeros((64, 64)), name="a", scale=(0.5, 0.5))
    shape = changes.pop("shape", (64, 64))
    labels = viewer.add_labels(np.ones(shape, int), name="b", **({"scale": (0.5, 0.5)} | changes))
    assert message in problem_of(LayerPair(image, labels))


def test_a_model_that_does_not_fit_the_image_is_refused_before_the_run(dock, viewer, tmp_path, weights) -> None:
    card = ModelCard(name="volumes", network=NetworkConfig(width=2, depth=1, ndim=3))
    file.save(tmp_path / "volumes.safetensors", card=card, weights=weights)
    dock.start.set_value(tmp_path / "volumes.safetensors")
    assert not dock.train.isEnabled()
    assert "no Z axis" in dock.hint.text()
    two = card.replace(network=NetworkConfig(width=2, depth=1, in_channels=2), channels=("a", "b"))
    file.save(tmp_path / "two.safetensors", card=two, weights=weights)
    dock.start.set_value(tmp_path / "two.safetensors")
    assert "reads 2 channel" in dock.hint.text()
    dock.start.set_value(SCRATCH)
    assert dock.train.isEnabled()


def test_zero_means_background_where_much_is_painted_until_a_person_decides(dock, viewer, qtbot) -> None:
    labels = viewer.layers["painted"]
    labels.data_setitem(tuple(np.mgrid[0:64, 0:30].reshape(2, -1)), 5)
    qtbot.waitUntil(lambda: dock.zero.currentText() == BACKGROUND, timeout=5000)
    dock.zero.setCurrentText(NOT_ANNOTATED)
    dock.zero.activated.emit(0)
    labels.data_setitem((np.array([0]), np.array([0])), 6)
    qtbot.wait(800)
    assert dock.zero.currentText() == NOT_ANNOTATED


def test_regions_and_scribbles_reach_the_samples(dock, viewer) -> None:
    shapes = viewer.add_shapes([[[0, 0], [0, 10], [10, 10], [10, 0]]], scale=(0.5, 0.5), translate=(5, 10))
    mask = mask_of(shapes, viewer.layers["painted"])
    rows, columns = np.nonzero(mask)
    assert (rows.min(), rows.max()) == (10, 20)
    assert (columns.min(), columns.max()) == (20, 30)
    dock.options.regions.set_value(shapes)
    dock.options.background.setValue(2)
    plan = dock.plan()
    assert plan.regions is shapes
    assert plan.reading.background_id == 2
    assert not plan.reading.zero_is_background
    assert dock.pairs.widgets[0].count.text() == "1 cell"


def test_the_field_of_a_stack_is_the_plane_and_part_in_view(viewer) -> None:
    stack = np.arange(4 * 80 * 90, dtype=np.float32).reshape(4, 80, 90)
    image = viewer.add_image(stack, name="stack", scale=(2, 1, 1))
    viewer.dims.set_point(0, 4)
    image.corner_pixels = np.array([[2, 40, 50], [2, 59, 79]])
    field = take_field(LayerPair(image, None), viewer=viewer, ndim=2)
    pixels = field.read()
    inner = pixels[(slice(None), *field.inner)]
    rows, columns = _layers.visible(image, axes="ZYX")
    np.testing.assert_array_equal(inner[0], stack[2, rows, columns])
    assert field.where.leading == 1
    np.testing.assert_allclose(field.where.transform["translate"], (4, rows.start, columns.start))


def test_losses_and_class_weights_are_chosen_by_words(dock) -> None:
    loss = dock.options.loss._fields["kind"].native
    words = [loss.itemText(index) for index in range(loss.count())]
    assert len(words) == len(set(words)) == len(get_args(LossKind))
    assert not any("_" in word for word in words)
    loss.setCurrentIndex(words.index("Binary cross entropy and Dice"))
    weights = dock.options.balance._fields["classes"].native
    weights.setCurrentIndex(weights.findText("Median frequency"))
    recipe = dock.options.recipe(channels=1)
    assert (recipe.loss.kind, recipe.weights.classes) == ("bce_dice", "median_frequency")


def test_a_loss_that_does_not_fit_is_refused_in_words(dock, qtbot) -> None:
    loss = dock.options.loss._fields["kind"].native
    loss.setCurrentIndex(loss.findData("lovasz_hinge"))
    run(dock, qtbot)
    assert "tells two classes apart" in dock.message.text.text()
