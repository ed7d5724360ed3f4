"""Scores of a model on images with truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.samples import Sample
from napari_unetseg.tasks.scaled import scaled, sized


def score_model(model: Model, held: Sequence[Sample], **decoding: Any) -> dict[str, Any]:
    """Return scores pooled over all images, objects counted together, with changes of the model's decoding."""
    scores = [metrics.score(labels, sample.labels) for sample, labels in segmented(model, held, **decoding)]
    summary = metrics.summarize(scores)
    return {
        "AP@0.5": summary["ap"]["0.50"],
        "mean AP": summary["mean_ap"],
        "F1": summary["f1"],
        "PQ": summary["pq"],
        "IoU": summary["iou"][1],
        "found": sum(one.objects_predicted for one in scores),
        "true": sum(one.objects_truth for one in scores),
    }


def segmented(model: Model, held: Sequence[Sample], **decoding: Any) -> Iterator[tuple[Sample, np.ndarray]]:
    """Yield each image with the labels that the model gives, with changes of its decoding."""
    config = sized(model.card.decoding.replace(**decoding), card=model.card, network=model.network)
    predictor = scaled(predictor_of(model, decoding=config), model=model, decoding=config)
    for sample in held:
        stretch = sample.stretch or normalize.measure([sample.image], config=model.card.normalization)
        maps = finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))
        yield sample, decode(maps, config=config, target=model.card.target)
