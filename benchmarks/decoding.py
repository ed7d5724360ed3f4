"""Tune how a model's maps become objects, and write the model with the best settings: python benchmarks/decoding.py.

The network runs once; each setting is then varied in turn, two rounds, and the value with the best mean AP on the
training images is kept. The validation images only report. The result is stored in float16,
with a picture of a training image.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from datasets import samples
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.models import file
from napari_unetseg.schema.config import DecodingConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model, weights_of
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample, prepare
from napari_unetseg.tasks.thumbnail import make_thumbnail

CHOICES = {
    "min_confidence": (0.0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
    "min_size": (12, 20, 30, 40),
    "min_seed": (0, 4, 8, 12, 20),
    "seed_threshold": (0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    "threshold": (0.45, 0.5, 0.55, 0.6),
}


def main() -> None:
    """Tune, report, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--write", type=Path, help="where to write the tuned model")
    parser.add_argument("--data", default="dsb2018_fluo")
    parser.add_argument("--images", type=int, help="how many training images to tune on (default: all)")
    options = parser.parse_args()
    model = load_model(options.model)
    training = samples(options.data, "train")
    chosen = [training[index] for index in np.random.default_rng(0).permutation(len(training))[: options.images]]
    tuning, held = _maps(model, chosen), _maps(model, samples(options.data, "val"))
    start = model.card.decoding
    best, rows = _tune(tuning, start=start, model=model)
    for name, decoding in (("val, as trained", start), ("val, tuned", best)):
        rows.append(_row(name, decoding, _score(held, decoding, model=model)))
    publish("decoding", rows, model=model.card.name, data=options.data, images=len(chosen))
    if options.write:
        picture = make_thumbnail(
            *prepare(chosen[:1], ndim=2, channels=len(model.card.channels), config=model.card.normalization)
        )
        _write(model, best, scores=_score(held, best, model=model), picture=picture, path=options.write)


Maps = Sequence[tuple[np.ndarray, np.ndarray]]


def _maps(model: Model, images: Sequence[Sample]) -> Maps:
    predictor = Predictor(model.network, target=model.card.target)
    pairs = []
    for sample in images:
        stretch = normalize.measure([sample.image], config=model.card.normalization)
        maps = finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))
        pairs.append((maps, sample.labels))
    return pairs


def _score(maps: Maps, decoding: DecodingConfig, *, model: Model) -> dict[str, object]:
    target = model.card.target
    return metrics.summarize([metrics.score(decode(one, config=decoding, target=target), truth) for one, truth in maps])


def _tune(maps: Maps, *, start: DecodingConfig, model: Model) -> tuple[DecodingConfig, list[dict[str, object]]]:
    best, best_scores = start, _score(maps, start, model=model)
    rows = [_row("train, as trained", start, best_scores)]
    for _ in range(2):
        for field, values in CHOICES.items():
            for value in values:
                candidate = best.replace(**{field: value})
                scores = _score(maps, candidate, model=model)
                if scores["mean_ap"] > best_scores["mean_ap"]:
                    best, best_scores = candidate, scores
    rows.append(_row("train, tuned", best, best_scores))
    return best, rows


def _row(name: str, decoding: DecodingConfig, scores: dict[str, object]) -> dict[str, object]:
    settings = {field: getattr(decoding, field) for field in CHOICES}
    return {
        "images": name,
        **settings,
        "AP@0.5": scores["ap"]["0.50"],
        "mean AP": scores["mean_ap"],
        "AP@0.5, mean over images": scores["ap_by_image"]["0.50"],
        "mean AP, mean over images": scores["mean_ap_by_image"],
    }


def _write(model: Model, decoding: DecodingConfig, *, scores: dict[str, object], picture: str, path: Path) -> None:
    record = model.card.training
    assert record is not None
    values = {f"ap{key}": value for key, value in scores["ap"].items()}
    values |= {name: scores[name] for name in ("mean_ap", "mean_ap_by_image", "f1", "pq", "dice")}
    card = model.card.replace(decoding=decoding, thumbnail=picture, training=record.replace(scores=values))
    file.save(path, card=card, weights=weights_of(model.network), half=True)


if __name__ == "__main__":
    main()
