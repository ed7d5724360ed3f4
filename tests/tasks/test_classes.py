"""Training on classes: ids stay, the labels tell how many there are, rare classes weigh and are drawn as others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from napari_unetseg.models import file
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import LossConfig, LossKind, Recipe, TargetConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Note, StepDone, Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.classes import class_names, fit_classes, places_of_classes
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.live import Live
from napari_unetseg.tasks.patches import PatchSampler, choose_patch
from napari_unetseg.tasks.samples import Sample, prepare_for

SEMANTIC = TargetConfig(kind="semantic")


@pytest.fixture
def semantic(recipe: Recipe) -> Recipe:
    """The toy recipe, for classes whose number the labels tell."""
    return recipe.replace(target=SEMANTIC)


@pytest.fixture
def classed(samples: list[Sample]) -> list[Sample]:
    """Discs of class 1 and 3 by turns; there is none of class 2."""
    return [replace(one, labels=np.where(one.labels > 0, 2 * (one.labels % 2) + 1, 0)) for one in samples]


def sparse(seed: int = 0) -> Sample:
    """An image of 256 x 256 in which 0.5 % of the pixels are annotated: nine of ten background, the others class 1."""
    rng = np.random.default_rng(seed)
    labels = np.full((256, 256), -1)
    where = rng.permutation(labels.size)[: labels.size // 200]
    labels.flat[where] = np.arange(len(where)) % 10 == 0
    return Sample(rng.normal(size=(1, 256, 256)).astype(np.float32), labels, "sparse")


def test_the_labels_tell_how_many_classes_there_are(semantic: Recipe, classed: list[Sample]) -> None:
    ready = prepare_for(semantic, classed)
    np.testing.assert_array_equal(ready[0].labels, classed[0].labels)
    fitted = fit_classes(semantic, [sample.labels for sample in ready])
    assert (fitted.target.classes, fitted.network.out_channels) == (4, 4)
    assert fit_classes(fitted.with_classes(9), [ready[0].labels]).target.classes == 9  # what is given stays


def test_names_are_given_or_numbers() -> None:
    target = TargetConfig(kind="semantic", classes=3)
    assert class_names(target) == ("background", "class 1", "class 2")
    assert class_names(target, ["membrane", "vesicle"]) == ("background", "membrane", "vesicle")
    with pytest.raises(InputError, match=r"1 class name \(membrane\) for 2 classes"):
        class_names(target, ["membrane"])
    with pytest.raises(InputError, match="not different"):
        class_names(target, ["membrane", "membrane"])


@pytest.mark.parametrize(("labels", "message"), [([[1, 1, -1]], "only class .* is 1"), ([[2, 0, 0]], "only class")])
def test_one_class_alone_is_refused(semantic: Recipe, labels: list[list[int]], message: str) -> None:
    sample = Sample(np.zeros((1, 1, 3)), np.array(labels), "a")
    with pytest.raises(InputError, match=message):
        prepare_for(semantic.replace(unlabelled_is_background=False), [sample])


def test_a_mask_in_pieces_is_a_class(semantic: Recipe, samples: list[Sample]) -> None:
    masks = [replace(sample, labels=sample.labels > 0) for sample in samples]
    assert prepare_for(semantic, masks)[0].labels.max() == 1


def test_unpainted_pixels_are_left_out_and_only_what_is_0_is_background(semantic: Recipe) -> None:
    labels = np.full((64, 64), -1)
    labels[8:12, 8:12], labels[40:44, 40:44], labels[20:24] = 1, 2, 0
    recipe = semantic.with_classes(3)
    batch = PatchSampler(prepare_for(recipe, [Sample(np.zeros((1, 64, 64)), labels, "a")]), recipe=recipe).batch(3)
    assert set(batch.classes.unique().tolist()) <= {-1, 0, 1, 2}
    assert not batch.weights[batch.classes == -1].any()
    unpainted = recipe.replace(unlabelled_is_background=False)
    zeros = np.maximum(labels, 0)
    ready = prepare_for(unpainted, [Sample(np.zeros((1, 64, 64)), zeros, "a")])
    assert 0 not in PatchSampler(ready, recipe=unpainted).batch(3).classes


def test_gaps_between_classes_weigh_nothing(semantic: Recipe, classed: list[Sample]) -> None:
    recipe = semantic.with_classes(4).replace(weights={"balance": 0.0})
    weights = PatchSampler(prepare_for(recipe, classed), recipe=recipe).batch(1).weights
    assert (weights == 1).all()


def test_patches_are_as_large_as_they_get(semantic: Recipe, classed: list[Sample]) -> None:
    wide = [replace(one, labels=np.tile(one.labels, (8, 8)), image=np.tile(one.image, (1, 8, 8))) for one in classed]
    assert choose_patch(wide, divisor=(16, 16), target=SEMANTIC) == (256, 256)
    assert choose_patch(classed, divisor=(16, 16), target=SEMANTIC) == (64, 64)


def test_places_are_as_many_of_each_class() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[3, 4], labels[20:40] = 2, 5
    places = places_of_classes(labels)
    ids, counts = np.unique(labels[tuple(places.T)], return_counts=True)
    assert ids.tolist() == [2, 5]
    assert counts[0] == counts[1]
    labels[0, 0] = -1
    assert set(labels[tuple(places_of_classes(labels).T)]) == {0, 2, 5}
    assert len(places_of_classes(np.zeros((4, 4), int))) == 0


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
def test_classes_pull_alike_where_few_pixels_are_annotated(semantic: Recipe, loss: LossKind) -> None:
    recipe = semantic.with_classes(2).replace(weights={"balance": 1.0}, batch=4, patch=(128, 128))
    sampler = PatchSampler(prepare_for(recipe, [sparse()]), recipe=recipe)
    minimised = SegmentationLoss(LossConfig(kind=loss), target=recipe.target)
    pull = np.zeros(2)
    for step in range(12):
        batch = sampler.batch(step)
        logits = torch.zeros(4, 2, 128, 128, requires_grad=True)
        minimised(logits, batch.classes, None, batch.weights, batch.unknown).backward()
        assert logits.grad is not None
        gradient = logits.grad.abs().sum(dim=1)
        assert not gradient[batch.classes == -1].any()
        pull += [float(gradient[batch.classes == number].sum()) for number in (0, 1)]
    assert pull[1] / pull.sum() == pytest.approx(0.5, abs=0.1)


def test_a_rare_class_in_one_of_many_images_is_counted(semantic: Recipe) -> None:
    samples = [Sample(np.zeros((1, 16, 16)), np.zeros((16, 16), int), f"{index}") for index in range(80)]
    samples[77].labels[:2] = 1
    recipe = semantic.with_classes(2).replace(patch=(16, 16), weights={"balance": 1.0})
    weight = PatchSampler(prepare_for(recipe, samples), recipe=recipe).class_weight
    assert weight[1] > 5 * weight[0]


@pytest.mark.parametrize("loss", get_args(LossKind))
def test_classes_are_learnt_and_scored(semantic: Recipe, classed: list[Sample], tmp_path: Path, loss: LossKind) -> None:
    recipe = semantic.replace(steps=60, loss={"kind": loss}, learning_rate=1e-2)
    masks = [replace(sample, labels=sample.labels > 0) for sample in classed]
    path = tmp_path / "mask.safetensors"
    events = list(train.run(masks, recipe=recipe, output=path, class_names=["disc"]))
    best = max(event.foreground_iou or 0 for event in events if isinstance(event, Validated))
    assert best > 0.8
    steps = [event.loss for event in events if isinstance(event, StepDone)]
    assert np.mean(steps[-10:]) < 0.8 * np.mean(steps[:10])
    assert any("learns 2 classes" in event.message for event in events if isinstance(event, Note))
    card = file.read_card(path)
    assert card.classes == ("background", "disc")
    assert card.object_diameter is None
    assert card.training is not None
    assert card.training.objects == 0
    assert card.training.scores["foreground_iou"] == pytest.approx(best)
    assert {"pixel_error", "rand_error"} <= card.training.scores.keys()


def test_strokes_of_a_class_the_run_does_not_know_are_told(
    semantic: Recipe, classed: list[Sample], tmp_path: Path
) -> None:
    live = Live(read=lambda arrays: [replace(classed[0], labels=arrays[0]), *classed[1:]])
    job = train.run(classed, recipe=semantic, output=tmp_path / "m.safetensors", live=live)
    next(job)
    live.relabel([np.full((64, 64), 9)])
    told = [event.message for event in job if isinstance(event, Note)]
    assert any("not used: discs 0: holds class 9, but there are 4 classes" in text for text in told)


def test_training_goes_on_from_a_model_of_classes_with_its_names(
    semantic: Recipe, classed: list[Sample], tmp_path: Path
) -> None:
    from napari_unetseg.tasks.model import load_model
    from napari_unetseg.tasks.start import start_recipe

    path = tmp_path / "first.safetensors"
    names = ["odd", "none", "even"]
    finish(train.run(classed, recipe=semantic.replace(steps=2), output=path, class_names=names))
    start = load_model(path)
    recipe = start_recipe(start.card).replace(steps=2, patch=(48, 48), batch=2, precision="float32")
    card = finish(train.run(classed, recipe=recipe, output=tmp_path / "next.safetensors", start=start))
    assert card.classes == ("background", *names)
