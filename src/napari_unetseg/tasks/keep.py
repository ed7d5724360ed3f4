"""Keep the weights that score best on the images held back for that."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.models import file
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.errors import JobError
from napari_unetseg.schema.events import Event, Saved
from napari_unetseg.tasks import record
from napari_unetseg.tasks.budget import used
from napari_unetseg.tasks.model import weights_of
from napari_unetseg.tasks.step import Run
from napari_unetseg.tasks.validate import told

EARLY = 0.5
"""Share of the budget before which no score decides: weights that have hardly learnt may suit a few odd images."""
DECIDING = 3
"""Images held back from which on scores decide: one or two tell which weights suit them, not which are good."""


def keep_best(
    run_: Run, *, scores: dict[str, Any] | None, card: ModelCard, output: Path
) -> Generator[Event, None, None]:
    """Save the weights, unless they score worse than earlier ones by more than chance; without scores in any case.

    In the first half of the budget the latest are saved too, and only the last of those compete with later ones. Of one
    or two images held back the scores are told, but the last weights are kept. With few objects scores vary by chance,
    and weights that have learnt for longer are the safer choice: the rule of one standard error (Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3).
    """
    progress = run_.progress
    value = progress.best if scores is None else told(scores, progress=progress).value
    progress.without_gain = 0 if scores is None or value > progress.best else progress.without_gain + 1
    progress.best = max(progress.best, value)
    assert card.training is not None  # set by record.describe
    is_early = used(progress, recipe=card.training.recipe) < EARLY
    decides = card.training.validation_images >= DECIDING and not is_early
    progress.rival = max(progress.rival, value) if decides else value
    is_kept = scores is None or value >= progress.rival - standard_error(progress.rival, scores=scores)
    if is_kept:
        progress.best_step = progress.step
        weights = weights_of(run_.average)
        if not all(np.isfinite(array).all() for array in weights.values()):
            raise JobError("the weights are no longer finite; lower the learning rate and start again")
        file.save(output, card=record.with_scores(card, progress=progress, scores=scores), weights=weights)
        yield Saved(output)
    if scores is not None:
        yield told(scores, progress=progress, is_kept=is_kept)


def standard_error(share: float, *, scores: Mapping[str, Any]) -> float:
    """Return the standard error of a score that is the `share` of the held-back objects that were found; of pixels, 0.

    sqrt(p (1 - p) / n), as if one object were right or wrong by itself.
    """
    count = scores.get("objects_truth", 0)
    return math.sqrt(max(0.0, share * (1 - share)) / count) if count else 0.0
