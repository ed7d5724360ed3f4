"""What a step makes of pixels that nobody has annotated."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from napari_unetseg.images.arrays import from_array
from napari_unetseg.networks import registry
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import LossConfig, NormalizationConfig, Recipe, TargetConfig
from napari_unetseg.tasks import distributed
from napari_unetseg.tasks.budget import Clock
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.optimize import make_optimizer
from napari_unetseg.tasks.pairs import Pair, Pairs, Reading
from napari_unetseg.tasks.patches import Batch, PatchSampler
from napari_unetseg.tasks.samples import Sample, prepare
from napari_unetseg.tasks.start import fit_annotation
from napari_unetseg.tasks.step import Run, _believing, take_step

CPU = torch.device("cpu")


def test_unannotated_pixels_weigh_what_the_network_says_of_them() -> None:
    """Of four pixels the first is painted; the background of the others has the probabilities 1/2, 1/4 and nearly 1."""
    logits = torch.zeros(1, 2, 1, 4)
    logits[0, 1, 0, 2], logits[0, 1, 0, 3] = math.log(3), -40.0
    unknown = torch.tensor([[[False, True, True, True]]])
    batch = Batch(torch.zeros(1, 1, 1, 4), torch.tensor([[[1, -1, -1, -1]]]), None, torch.full((1, 1, 4), 7.0), unknown)
    believing = _believing(batch, logits, strength=0.5)
    assert believing.classes.tolist() == [[[1, 0, 0, 0]]]
    torch.testing.assert_close(believing.weights, torch.tensor([[[7.0, 0.125, 0.03125, 0.5]]]))


@pytest.mark.parametrize(("used", "counts"), [(0.3, False), (0.5, True)])
def test_they_count_only_once_the_network_has_learnt_something(
    samples: list[Sample], recipe: Recipe, used: float, counts: bool
) -> None:
    recipe = recipe.replace(unlabelled_is_background=False, patch=(48, 48), steps=100, precision="float32")
    ready = prepare(samples, ndim=2, channels=1, config=NormalizationConfig())
    network = registry.build(recipe.network)
    losses = []
    for believed in (0.0, 0.5):
        one = recipe.replace(weights=recipe.weights.replace(believed=believed))
        batch = PatchSampler(ready, recipe=one).batch(0)
        assert batch.unknown is not None
        ours = copy.deepcopy(network)
        progress = Progress(step=round(100 * used))
        run = Run(ours, copy.deepcopy(ours), make_optimizer(ours, recipe=one), progress, Clock(), distributed.join(CPU))
        loss = SegmentationLoss(one.loss, target=one.target)
        losses.append(take_step(run, batch=batch, loss_function=loss, recipe=one, device=CPU))
    assert (losses[0] != losses[1]) == counts


def test_dice_leaves_out_what_is_only_believed() -> None:
    """It knows no weights: an unpainted object would be unlearnt."""
    logits = torch.randn(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    unknown = torch.zeros(1, 4, 4, dtype=torch.bool)
    unknown[:, 2:] = True
    classes = torch.ones(1, 4, 4, dtype=torch.long).masked_fill(unknown, 0)
    nothing = torch.zeros(1, 4, 4)  # so that only Dice is left
    target = TargetConfig(kind="boundary")
    loss = SegmentationLoss(LossConfig(kind="cross_entropy_dice"), target=target)
    given, known = (loss(logits, one, None, nothing, unknown) for one in (classes, classes.masked_fill(unknown, -1)))
    assert given == known != loss(logits, classes, None, nothing)


@pytest.mark.parametrize("is_from_scratch", [True, False])
def test_what_is_not_painted_in_a_layer_is_unknown(samples: list[Sample], recipe: Recipe, is_from_scratch) -> None:
    """As the Train dock reads layers: unpainted pixels come as -1."""
    recipe = fit_annotation(recipe, zero_is_background=False, is_from_scratch=is_from_scratch)
    reading = Reading(zero_is_background=False, normalization=recipe.normalization)
    given = [(from_array(sample.image[0], axes="YX"), np.where(sample.labels == 1, 1, 0)) for sample in samples]
    found = finish(Pairs([Pair(source, labels) for source, labels in given], reading=reading).load())
    ready = prepare(found, ndim=2, channels=1, config=recipe.normalization)
    batch = PatchSampler(ready, recipe=recipe.replace(patch=(48, 48))).batch(0)
    assert batch.unknown is not None
    assert batch.unknown.float().mean() > 0.5
    far = batch.classes[batch.unknown]
    assert set(far.tolist()) == ({0} if is_from_scratch else {-1})
    assert (batch.weights[batch.unknown] == recipe.weights.unlabelled).all()
