"""Score a network in training on the images held back for that."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.labels import metrics
from napari_unetseg.labels.class_metrics import score_classes, summarize_classes
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.ids import IGNORE
from napari_unetseg.labels.targets import make_targets
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import Recipe, TilingConfig
from napari_unetseg.schema.events import Event, Validated
from napari_unetseg.tasks import showcase
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.classes import class_names
from napari_unetseg.tasks.jobs import as_part
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample

MAX_PIXELS = 8e6  # enough for a stable score, little against the training itself


def validate(
    network: Network, *, held: list[Sample], recipe: Recipe, shown: int = 0, names: Sequence[str] = ()
) -> Generator[Event, None, dict[str, Any] | None]:
    """Segment the held-back images with `network`, and hand out `shown` of them; none without such images.

    `names` are those of the classes 1, 2, ..., where labels are of classes.
    """
    if not held:
        return None
    tiling = TilingConfig(precision=recipe.precision, device=str(next(network.parameters()).device))
    predictor = Predictor(network.eval(), target=recipe.target, tiling=tiling)
    held = affordable(held)
    tiles = [len(predictor.plan(sample.labels.shape).tiles) for sample in held]
    chosen = showcase.choose(shown, total=len(held))
    is_semantic = recipe.target.is_semantic
    classes_shown = class_names(recipe.target, names)[1:] if is_semantic else ()
    scores, class_scores = [], []
    for number, sample in enumerate(held):
        assert sample.stretch is not None  # given by samples.prepare
        image = normalize.apply(sample.image, stretch=sample.stretch)
        before, total = sum(tiles[:number]), sum(tiles)
        probability = yield from as_part(predictor.predict(image), item="validation", before=before, total=total)
        found = decode(probability, config=recipe.decoding, target=recipe.target)
        truth = sample.labels
        if not recipe.unlabelled_is_background:
            classes = make_targets(truth, config=recipe.target, unlabelled_is_background=False).classes
            truth = np.where(classes == IGNORE, IGNORE, truth)  # nobody knows what is right there
        if is_semantic:
            count = recipe.target.class_count
            class_scores.append(score_classes(found, truth, count=count, has_warping=False))
        else:
            scores.append(metrics.score(found, truth))
        if number in chosen:
            own = summarize_classes(class_scores[-1:]) if is_semantic else metrics.summarize(scores[-1:])
            yield showcase.excerpt(
                image,
                truth=truth,
                found=found,
                name=sample.name,
                score=float(own["foreground_iou"] if is_semantic else own["ap"]["0.50"]),
                classes=classes_shown,
            )
    return summarize_classes(class_scores) if is_semantic else metrics.summarize(scores)


def told(
    scores: Mapping[str, Any], *, progress: Progress, is_kept: bool = False, on_training: bool = False
) -> Validated:
    """Return what is told of the scores of a validation."""
    is_of_classes = "foreground_iou" in scores
    return Validated(
        progress.step,
        ap50=0.0 if is_of_classes else float(scores["ap"]["0.50"]),
        mean_ap=0.0 if is_of_classes else float(scores["mean_ap"]),
        is_kept=is_kept,
        seconds=progress.seconds,
        on_training=on_training,
        foreground_iou=float(scores["foreground_iou"]) if is_of_classes else None,
    )


def affordable(held: list[Sample]) -> list[Sample]:
    """Return as many images, at least one, as have `MAX_PIXELS` pixels together."""
    ends = np.cumsum([sample.labels.size for sample in held])
    return held[: max(1, int(np.searchsorted(ends, MAX_PIXELS, side="right")))]
