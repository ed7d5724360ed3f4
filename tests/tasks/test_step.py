"""What a step makes of pixels that nobody has annotated."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from napari_unetseg.networks import registry
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import NormalizationConfig, Recipe
from napari_unetseg.tasks import distributed
from napari_unetseg.tasks.budget import Clock
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.optimize import make_optimizer
from napari_unetseg.tasks.patches import Batch, PatchSampler
from napari_unetseg.tasks.samples import Sample, prepare
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
        assert (batch.unknown is not None) == (believed > 0)
        ours = copy.deepcopy(network)
        progress = Progress(step=round(100 * used))
        run = Run(ours, copy.deepcopy(ours), make_optimizer(ours, recipe=one), progress, Clock(), distributed.join(CPU))
        loss = SegmentationLoss(one.loss, target=one.target)
        losses.append(take_step(run, batch=batch, loss_function=loss, recipe=one, device=CPU))
    assert (losses[0] != losses[1]) == counts


def test_pixels_to_be_ignored_never_count(samples: list[Sample], recipe: Recipe) -> None:
    """Unlike those that nobody has painted, they were painted as "ignore"."""
    weights = recipe.weights.replace(unlabelled=0.25, believed=0.5)
    recipe = recipe.replace(unlabelled_is_background=False, patch=(48, 48), weights=weights)
    ready = prepare(samples, ndim=2, channels=1, config=NormalizationConfig())
    for sample in ready:
        sample.labels[sample.labels == 0] = -1
    batch = PatchSampler(ready, recipe=recipe).batch(0)
    assert batch.unknown is None
    assert (batch.weights[batch.classes == -1] == 0).all()
    assert (batch.classes == -1).any()
