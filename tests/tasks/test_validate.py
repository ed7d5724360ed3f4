"""Scores in training count only what is annotated."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_unetseg.networks import registry
from napari_unetseg.schema.config import NormalizationConfig, Recipe
from napari_unetseg.schema.events import Sampled
from napari_unetseg.tasks import validate as task
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.samples import Sample, prepare


@pytest.mark.parametrize(("is_background", "expected"), [(True, 1 / 4), (False, 1.0)])
def test_cells_nobody_painted_are_not_invented_ones(
    samples: list[Sample], recipe: Recipe, monkeypatch: pytest.MonkeyPatch, is_background: bool, expected: float
) -> None:
    """The network finds all four discs, one of which is painted."""
    painted = Sample(samples[0].image, np.where(samples[0].labels == 2, 2, 0), "one painted")
    held = prepare([painted], ndim=2, channels=1, config=NormalizationConfig())
    monkeypatch.setattr(task, "decode", lambda *_, **__: samples[0].labels.astype(np.uint32))
    torch.manual_seed(0)
    network = registry.build(recipe.network)
    scores = finish(task.validate(network, held=held, recipe=recipe.replace(unlabelled_is_background=is_background)))
    assert scores is not None
    assert scores["ap"]["0.50"] == expected


def test_nothing_held_back_gives_no_score(recipe: Recipe) -> None:
    assert finish(task.validate(registry.build(recipe.network), held=[], recipe=recipe)) is None


def test_it_hands_out_what_it_finds_and_scores_as_without(samples: list[Sample], recipe: Recipe) -> None:
    held = prepare(samples, ndim=2, channels=1, config=NormalizationConfig())
    torch.manual_seed(0)
    network = registry.build(recipe.network)
    events = task.validate(network, held=held, recipe=recipe, shown=1)
    seen = []
    scores = None
    while scores is None:
        try:
            seen.append(next(events))
        except StopIteration as end:
            scores = end.value
    (sampled,) = (event for event in seen if isinstance(event, Sampled))
    assert sampled.name == held[0].name
    np.testing.assert_array_equal(sampled.truth, held[0].labels)
    assert not sampled.is_of_classes
    assert scores == finish(task.validate(network, held=held, recipe=recipe))
