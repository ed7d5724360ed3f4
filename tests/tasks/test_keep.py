"""Which weights are kept: later ones, unless they score worse by more than chance."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest

from napari_unetseg.models import file
from napari_unetseg.networks import registry
from napari_unetseg.schema.card import ModelCard, TrainingRecord
from napari_unetseg.schema.config import NetworkConfig, Recipe
from napari_unetseg.schema.events import Saved, Validated
from napari_unetseg.tasks import distributed
from napari_unetseg.tasks.budget import Clock
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.keep import keep_best, standard_error
from napari_unetseg.tasks.optimize import make_optimizer
from napari_unetseg.tasks.step import Run


def summary(mean_ap: float, *, objects: int) -> dict[str, Any]:
    return {"objects_truth": objects, "ap": {"0.50": mean_ap}, "mean_ap": mean_ap, "mean_ap_by_image": mean_ap}


def kept_steps(values: list[float], *, objects: int, output: Path, steps: int = 1, images: int = 3) -> list[int]:
    """Return the steps whose weights were saved when these scores came one after the other, of so many planned."""
    recipe = Recipe(network=NetworkConfig(width=2, depth=1), steps=steps)
    network = registry.build(recipe.network)
    team = distributed.join(distributed.own_device("cpu"))
    run_ = Run(network, copy.deepcopy(network), make_optimizer(network, recipe=recipe), Progress(), Clock(), team)
    card = ModelCard(name="m", network=recipe.network, training=TrainingRecord(recipe=recipe, validation_images=images))
    kept = []
    for step, value in enumerate(values, start=1):
        run_.progress.step = step
        scores = summary(value, objects=objects)
        events = list(keep_best(run_, scores=scores, card=card, output=output))
        told = [event.is_kept for event in events if isinstance(event, Validated)]
        assert told == [any(isinstance(event, Saved) for event in events)]
        if told == [True]:
            kept.append(step)
            record = file.read_card(output).training
            assert record is not None
            assert record.scores["mean_ap"] == value
    return kept


def test_a_score_that_is_worse_by_chance_does_not_keep_early_weights(tmp_path: Path) -> None:
    """Of 25 objects 0.5 means 12 or 13 found: a standard error of 0.1. The best score counts, not the last kept one."""
    assert kept_steps([0.5, 0.42, 0.39, 0.41, 0.33], objects=25, output=tmp_path / "m.safetensors") == [1, 2, 4]


def test_with_many_objects_the_best_score_decides(tmp_path: Path) -> None:
    assert kept_steps([0.5, 0.48, 0.6, 0.58, 0.6], objects=10_000, output=tmp_path / "m.safetensors") == [1, 3, 5]


def test_scores_of_the_first_half_do_not_decide(tmp_path: Path) -> None:
    """A few odd images may suit weights that have hardly learnt; the latest are saved in case the run is stopped."""
    kept = kept_steps([0.9, 0.4, 0.5, 0.49, 0.6, 0.55], objects=10_000, output=tmp_path / "m.safetensors", steps=7)
    assert kept == [1, 2, 3, 5]


def test_scores_of_two_images_do_not_decide(tmp_path: Path) -> None:
    kept = kept_steps([0.9, 0.4, 0.5], objects=10_000, output=tmp_path / "m.safetensors", images=2)
    assert kept == [1, 2, 3]


@pytest.mark.parametrize(
    ("share", "count", "error"), [(0.5, 25, 0.1), (0.0, 10, 0.0), (1.0, 10, 0.0), (0.2, 0, 0.0), (-1.0, 9, 0.0)]
)
def test_standard_error(share: float, count: int, error: float) -> None:
    assert math.isclose(standard_error(share, scores={"objects_truth": count}), error)


def test_scores_of_pixels_have_none() -> None:
    assert standard_error(0.5, scores={"foreground_iou": 0.5}) == 0.0
