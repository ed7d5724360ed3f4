"""How good is a model trained on a few painted cells for a few minutes? python benchmarks/few_cells.py.

Cells painted: 5 or 20 of one image (those nearest to its middle, as one who has zoomed in paints; or 20 here and
there), all of it, or all of five images. Every row is a training of its own with the task and the defaults of the Train
dock: what 0 means, patch, learning rate, held-back share. Scored are the other cells of the painted image, and the
validation images. Rows that are in the results already are kept, unless --again is given; so a run can be stopped and
continued.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from datasets import samples
from painted import count_all, dock_recipe, paint_anywhere, paint_nearest
from report import publish
from scoring import score_model

from napari_unetseg.labels.annotated import annotate
from napari_unetseg.labels.ids import IGNORE
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import train
from napari_unetseg.tasks.live import Live
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.samples import Sample

SCRATCH = "scratch"
PAINTED = ("5", "20", "20 scattered", "all", "5 images")
IMAGES = 5
KEY = ("painted", "minutes", "start")


def main() -> None:
    """Train and score the rows that are missing, and publish after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="usiigaci_t98g_phase")
    parser.add_argument("--painted", nargs="+", default=PAINTED, choices=PAINTED)
    parser.add_argument("--minutes", nargs="+", type=float, default=(1.0, 5.0))
    parser.add_argument("--start", nargs="+", default=("nuclei", SCRATCH), help="models to start from, or 'scratch'")
    parser.add_argument("--believed", type=float, help="another weight of unpainted pixels (weights.believed)")
    parser.add_argument("--steps", type=int, help="a budget of steps, in the place of minutes")
    parser.add_argument("--seed", type=int, default=0, help="of the training, and of the cells that are scattered")
    parser.add_argument("--match", action="store_true", help="bring images to the start model's size (match_size)")
    parser.add_argument("--keep", type=Path, help="folder to keep the models in")
    parser.add_argument("--again", action="store_true", help="train rows that have a result already, too")
    options = parser.parse_args()
    told = "" if options.believed is None else f", believed {options.believed:g}"
    told += f", seed {options.seed}" * bool(options.seed) + ", matched" * options.match
    told += "" if options.steps is None else f", {options.steps} steps"
    changes: dict[str, Any] = {"seed": options.seed, "match_size": options.match}
    changes |= {} if options.steps is None else {"steps": options.steps, "minutes": None}
    wanted = [
        {"painted": painted, "minutes": minutes, "start": start + told}
        for start in options.start
        for minutes in options.minutes
        for painted in options.painted
    ]
    rows = _known(options.data)
    training, validation = samples(options.data, "train")[:IMAGES], samples(options.data, "val")
    for key in wanted:
        is_known = any(all(row[name] == key[name] for name in KEY) for row in rows)
        if is_known and not options.again:
            continue
        with tempfile.TemporaryDirectory() as folder:
            stem = "-".join(str(value).replace(" ", "-") for value in key.values())
            path = (options.keep or Path(folder)) / f"{stem}.safetensors"
            row = key | _row(training, validation, path=path, believed=options.believed, changes=changes, **key)
        rows = [one for one in rows if any(one[name] != key[name] for name in KEY)]
        rows = sorted([*rows, row], key=lambda one: (one["start"], one["minutes"], PAINTED.index(one["painted"])))
        publish("few_cells", rows, data=options.data, validation_images=len(validation))


def _known(data: str) -> list[dict[str, Any]]:
    path = Path(__file__).parent / "results" / "few_cells.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return list(content["rows"]) if content["data"] == data else []


def _row(
    training: list[Sample],
    validation: list[Sample],
    *,
    path: Path,
    painted: str,
    minutes: float,
    start: str,
    believed: float | None,
    changes: dict[str, Any],
) -> dict[str, Any]:
    chosen = training if painted == "5 images" else training[:1]
    is_partly = painted not in ("all", "5 images")
    start = start.split(",")[0]
    given = [replace(sample, labels=_paint(sample.labels, painted, seed=changes["seed"])) for sample in chosen]
    _train(given, path=path, start=start, believed=believed, changes={"minutes": minutes, **changes})
    model = load_model(path)
    other = score_model(model, [_without(chosen[0], given[0].labels)]) if is_partly else None
    held = score_model(model, validation)
    record = model.card.training
    assert record is not None  # it was trained just now
    return {
        "cells": record.objects,
        "steps": record.steps,
        "seconds": record.seconds,
        "AP@0.5, other cells": None if other is None else other["AP@0.5"],
        "AP@0.5, validation": held["AP@0.5"],
        "F1, validation": held["F1"],
        "found": held["found"],
        "true": held["true"],
    }


def _paint(labels: np.ndarray, painted: str, *, seed: int) -> np.ndarray:
    """Return the labels of the cells that are painted, 0 elsewhere."""
    if painted in ("all", "5 images"):
        return labels
    count, *how = painted.split()
    if how:
        return paint_anywhere(labels, count=int(count), rng=np.random.default_rng(seed))
    return paint_nearest(labels, count=int(count), centre=np.array(labels.shape) / 2)


def _without(sample: Sample, painted: np.ndarray) -> Sample:
    """Return the truth with what was painted left out of the score."""
    return replace(sample, labels=np.where(painted > 0, IGNORE, sample.labels.astype(np.int32)))


def _train(given: list[Sample], *, path: Path, start: str, believed: float | None, changes: dict[str, Any]) -> None:
    """Do what the Train dock does with these images, and nothing else chosen than the `changes` of the recipe."""
    model = None if start == SCRATCH else load_model(start)
    is_background = not count_all(given).is_little
    recipe = dock_recipe(given, card=None if model is None else model.card, zero_is_background=is_background)
    recipe = recipe.replace(**changes)
    if believed is not None:
        recipe = recipe.replace(weights=recipe.weights.replace(believed=believed))
    read = [replace(one, labels=annotate(one.labels, zero_is_background=is_background)) for one in given]
    for event in train.run(read, recipe=recipe, output=path, start=model, live=Live(scores_training=True)):
        if isinstance(event, Note):
            print(event.message, flush=True)


if __name__ == "__main__":
    main()
