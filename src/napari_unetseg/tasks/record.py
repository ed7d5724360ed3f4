"""What a training run writes into its model's card: data, recipe, scores, versions."""

from __future__ import annotations

import datetime
import importlib.metadata
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_unetseg.labels.class_metrics import REGIONS
from napari_unetseg.schema.card import ModelCard, TrainingRecord
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.classes import class_names
from napari_unetseg.tasks.samples import Sample, common_pixel_size, diameter_of, image_count, median_size
from napari_unetseg.tasks.thumbnail import make_thumbnail

SCORES = ("mean_ap", "f1", "pq", "dice", "foreground_iou", "pixel_error", *REGIONS)
PACKAGES = ("napari-unetseg", "torch", "numpy", "scipy", "scikit-image")


def describe(
    recipe: Recipe,
    *,
    training: Sequence[Sample],
    held: Sequence[Sample],
    output: Path,
    data_sha256: str,
    facts: Mapping[str, str],
    names: Sequence[str] = (),
) -> ModelCard:
    """Return the card of a run before its scores are known; `names` are those of classes of labels."""
    target = recipe.target
    training_record = TrainingRecord(
        recipe=recipe,
        data=facts.get("data", ""),
        data_sha256=data_sha256,
        images=image_count(training),
        objects=0 if target.is_semantic else sum(int(sample.labels.max(initial=0)) for sample in training),
        validation_images=image_count(held),
        versions={name: _version(name) for name in PACKAGES},
    )
    match target.kind:
        case "semantic":
            classes = class_names(target, names)
        case "distance":
            classes = ("background", "foreground")
        case _:
            classes = ("background", "interior", "boundary")
    return ModelCard(
        name=facts.get("name") or _card_name(output),
        description=facts.get("description", ""),
        network=recipe.network,
        channels=("signal",)
        if recipe.network.in_channels == 1
        else tuple(f"channel {i}" for i in range(recipe.network.in_channels)),
        classes=classes,
        pixel_size=common_pixel_size(training),
        object_diameter=None if target.is_semantic else _diameter(training),
        normalization=recipe.normalization,
        target=target,
        decoding=recipe.decoding,
        training=training_record,
        thumbnail=make_thumbnail(training[0]),
        licence=facts.get("licence", ""),
        citation=facts.get("citation", ""),
    )


def with_scores(card: ModelCard, *, progress: Progress, scores: Mapping[str, Any] | None) -> ModelCard:
    """Return the card with the state of the run and, if there was a validation, its scores."""
    assert card.training is not None  # set by describe
    values = {} if scores is None else {f"ap{key}": value for key, value in scores.get("ap", {}).items()}
    if scores is not None:
        values |= {name: scores.get(name) for name in SCORES}
    training = card.training.replace(
        scores={name: value for name, value in values.items() if value is not None},
        steps=progress.step,
        seconds=round(progress.seconds, 1),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    return card.replace(training=training)


def _card_name(output: Path) -> str:
    """Return the file's stem with what a card's name may not hold replaced."""
    return re.sub(r"[^\w .+\-]", "_", output.stem)[:120].lstrip(" .+-") or "model"


def _diameter(samples: Sequence[Sample]) -> float | None:
    """Diameter (px) of the circle or ball as large as the median object."""
    size = median_size(samples)
    return diameter_of(size, ndim=samples[0].labels.ndim) if size else None


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
