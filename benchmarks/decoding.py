"""Tune how a bundled model's maps become objects: python benchmarks/decoding.py FILE [--write FILE].

The data sets are those of the recipe that is named as the model. The network runs once; each setting is then varied in
turn, two rounds, and the value with the best mean AP on the training images is kept. The validation images only report,
all together and each set for itself. The result is stored in float16, with a picture of a training image.
"""

from __future__ import annotations

import argparse
import math
import tomllib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from bundled import RECIPES, pooled
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.models import file
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model, weights_of
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample, prepare
from napari_unetseg.tasks.thumbnail import make_thumbnail

CHOICES = {
    "min_confidence": (0.0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
    "min_size": (0.04, 0.06, 0.09, 0.125, 0.2),
    "min_seed": (0.0, 0.01, 0.025, 0.04, 0.06),
    "seed_threshold": (0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
    "threshold": (0.45, 0.5, 0.55, 0.6),
}
"""Sizes are in parts of the median object."""


def main() -> None:
    """Tune, report, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--write", type=Path, help="where to write the tuned model")
    parser.add_argument("--as-trained", action="store_true", help="write the model with the decoding it has")
    parser.add_argument("--images", type=int, help="how many training images to tune on (default: all)")
    options = parser.parse_args()
    model = load_model(options.model)
    name, channels = model.card.name, len(model.card.channels)
    sets = list(tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))["sets"])
    training = pooled(sets, "train", channels=channels)
    chosen = [training[index] for index in np.random.default_rng(0).permutation(len(training))[: options.images]]
    start = model.card.decoding
    best, rows = _tune(_maps(model, chosen), start=start, model=model)
    every: list[Maps] = [_maps(model, pooled([data], "val", channels=channels)) for data in sets]
    everything = [pair for held in every for pair in held]
    for where, held in zip((*sets, "all"), (*every, everything), strict=True):
        rows.append(_row(f"val of {where}, as trained", start, _score(held, start, model=model)))
        rows.append(_row(f"val of {where}, tuned", best, _score(held, best, model=model)))
    publish(f"decoding_{name}", rows, model=name, images=len(chosen))
    if options.as_trained:
        best = start
    if options.write:
        picture = make_thumbnail(*prepare(chosen[:1], ndim=2, channels=channels, config=model.card.normalization))
        _write(model, best, scores=_score(everything, best, model=model), picture=picture, path=options.write)


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
            for value in _in_pixels(field, values, model=model):
                candidate = best.replace(**{field: value})
                scores = _score(maps, candidate, model=model)
                if scores["mean_ap"] > best_scores["mean_ap"]:
                    best, best_scores = candidate, scores
    rows.append(_row("train, tuned", best, best_scores))
    return best, rows


def _in_pixels(field: str, values: Sequence[float], *, model: Model) -> Sequence[float]:
    if field not in ("min_size", "min_seed"):
        return values
    area = math.pi / 4 * (model.card.object_diameter or 0) ** 2
    return [round(area * value) for value in values]


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
