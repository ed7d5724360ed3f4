"""What is learnt of images of which only a little is painted: regions, scribbles, parts of cells, half a percent."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unetseg.images.arrays import from_array
from napari_unetseg.networks.losses import weighted_cross_entropy
from napari_unetseg.schema.config import AugmentationConfig, NormalizationConfig, Recipe, TargetConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.pairs import Pair, Pairs, Reading
from napari_unetseg.tasks.patches import Batch, PatchSampler
from napari_unetseg.tasks.samples import prepare
from napari_unetseg.tasks.start import fit_annotation

PLAIN = AugmentationConfig(
    probability=0, elastic=0, rotation=0, scale=0, flip=False, gamma=0, brightness=0, contrast=0, blur=0, noise=0
)
SCRIBBLE = 9
BOUNDARY = 2


@pytest.fixture
def learner(recipe: Recipe) -> Recipe:
    """A recipe that takes the whole of a 64 x 64 image as its patch and changes nothing of it."""
    return recipe.replace(
        augmentation=PLAIN, patch=(64, 64), batch=1, target=TargetConfig(kind="both"), weights={"balance": 1.0}
    )


def sampler_of(labels: np.ndarray, recipe: Recipe, *, regions: np.ndarray | None = None) -> PatchSampler:
    """Read labels as the Train dock does where 0 means "not annotated" and `SCRIBBLE` background."""
    reading = Reading(zero_is_background=False, background_id=SCRIBBLE, normalization=recipe.normalization)
    image = from_array(np.random.default_rng(0).random(labels.shape, np.float32), axes="YX")
    found = finish(Pairs([Pair(image, labels, regions)], reading=reading).load())
    return PatchSampler(prepare(found, ndim=2, channels=1, config=NormalizationConfig()), recipe=recipe)


def whole(labels: np.ndarray, recipe: Recipe, *, regions: np.ndarray | None = None) -> Batch:
    """Return the targets of an image as large as the patch, in its own place."""
    sampler = sampler_of(labels, recipe, regions=regions)
    return sampler._with_targets(torch.zeros(1, 1, *labels.shape), sampler.samples[0].labels[None])


def two_cells() -> np.ndarray:
    """Two cells of 10 x 10 px, 2 px apart, in 64 x 64 px."""
    labels = np.zeros((64, 64), np.uint16)
    labels[20:30, 20:30], labels[20:30, 32:42] = 1, 2
    return labels


def test_a_scribble_is_background_and_nothing_else_is_but_the_rim_of_cells(learner: Recipe) -> None:
    labels = two_cells()
    labels[50:53, 5:60] = SCRIBBLE
    classes = whole(labels, learner).classes[0].numpy()
    assert (classes[50:53, 5:60] == 0).all()
    assert (classes[33:50] == -1).all()
    assert (classes[53:] == -1).all()
    assert (classes[17:33, 17:45] >= 0).sum() > 2 * 100  # the cells with a rim of background


def test_in_a_region_all_that_is_not_painted_is_background(learner: Recipe) -> None:
    regions = np.zeros((64, 64), bool)
    regions[10:45, 10:50] = True
    inside, outside = whole(two_cells(), learner, regions=regions), whole(two_cells(), learner)
    assert (inside.classes[0].numpy()[regions] >= 0).all()
    assert (inside.classes[0].numpy()[~regions] == -1).all()
    assert (inside.classes[outside.classes >= 0] == outside.classes[outside.classes >= 0]).all()
    assert inside.unknown is not None
    assert (inside.weights[inside.unknown] == 0).all()


def test_a_cell_of_which_a_part_is_ignored_has_no_border_there(learner: Recipe) -> None:
    labels = two_cells().astype(np.int32)
    labels[20:30, 25:30] = -1  # half of the first cell, which nobody was sure of
    batch = whole(labels, learner)
    assert (batch.classes[0, 20:30, 25:30] == -1).all()
    assert (batch.classes[0, 21:29, 24] == 1).all()  # interior right beside
    assert batch.distance is not None
    assert batch.distance[0, 24, 24] > batch.distance[0, 24, 21]  # the cell goes on behind


@pytest.mark.parametrize("is_from_scratch", [True, False])
def test_balance_holds_where_half_a_percent_is_painted(learner: Recipe, is_from_scratch: bool) -> None:
    """200 pixels of 40,000: classes weigh as they do where only the painted part is the image."""
    labels = np.zeros((200, 200), np.uint16)
    labels[100:164, 50:114] = two_cells()
    assert 0 < (labels > 0).mean() <= 0.005
    recipe = fit_annotation(learner, zero_is_background=False, is_from_scratch=is_from_scratch)
    recipe = recipe.replace(weights=recipe.weights.replace(w0=10.0, sigma=5.0))
    little, alone = sampler_of(labels, recipe), sampler_of(two_cells(), recipe)
    np.testing.assert_allclose(little.class_weight, alone.class_weight)
    assert little.class_weight[BOUNDARY] > little.class_weight[1]
    batches = [little.batch(step) for step in range(30)]
    holds_cells = [bool((batch.classes > 0).any()) for batch in batches]
    assert np.mean(holds_cells) >= 0.8  # not the 10 % that patches anywhere would give
    cells = next(batch for batch in batches if (batch.classes == 1).sum() == 2 * 64)
    gap = (cells.classes == 0) & (cells.weights > 5)
    assert 20 <= int(gap.sum()) <= 60  # the 2 x 10 px between the two cells, and a little beyond their ends
    share = [float(cells.weights[cells.classes == one].sum()) for one in (1, BOUNDARY)]
    assert share[0] == pytest.approx(share[1], rel=0.01)  # balance 1: classes weigh the same


def test_the_loss_of_painted_pixels_does_not_fade_with_what_is_not_annotated(learner: Recipe) -> None:
    """The mean is over annotated pixels: the same two cells in a larger patch give the same loss."""
    wide = np.zeros((128, 128), np.uint16)
    wide[32:96, 32:96] = two_cells()
    losses = []
    for labels in (two_cells(), wide):
        batch = whole(labels, learner)
        losses.append(float(weighted_cross_entropy(torch.zeros(1, 3, *labels.shape), batch.classes, batch.weights)))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
