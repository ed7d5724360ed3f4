"""How much each part of the recipe is worth on real images: python benchmarks/accuracy.py --data NAME --variants A B.

Every run trains one variant of the default recipe on so many training images (drawn by the seed) and scores it on the
validation images, which take no part in the training; what it needs to choose its best weights it holds back itself.
With `--cells N` only so many cells are painted, beside each other in one of these images (or as many as it takes).
Runs are kept as lines of `results/accuracy.jsonl`, and not repeated; several processes may work at the same time, each
at runs that no other has taken. `--show` only prints the table, `--plot FILE.png` draws it.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_plot import draw
from datasets import samples
from painted import dock_recipe, draw_painted
from report import RESULTS, machine, show
from scoring import score_model
from variants import DECODING, SETS, VARIANTS

from napari_unetseg.cli.settings import make_recipe
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import lock, train
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.samples import Sample
from napari_unetseg.tasks.start import start_recipe

RUNS = RESULTS / "accuracy.jsonl"
KEY = ("data", "images", "cells", "budget", "start", "variant", "seed")
SCORES = ("AP@0.5", "mean AP", "F1", "PQ", "IoU")


def main() -> None:
    """Do the runs that are missing, and print the table of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["dsb2018_fluo"])
    parser.add_argument("--variants", nargs="+", default=["default"], choices=[*VARIANTS, "all"], metavar="NAME")
    parser.add_argument("--images", nargs="+", default=["all"], help="numbers of training images, or all")
    parser.add_argument("--cells", nargs="+", default=["all"], help="numbers of painted cells, or all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, help="budget of each run in steps")
    parser.add_argument("--minutes", type=float, help="budget of each run in minutes")
    parser.add_argument("--start", default="", help="model to start from; none: from scratch")
    parser.add_argument("--keep", type=Path, help="folder to keep the models in")
    parser.add_argument("--show", action="store_true", help="train nothing")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    if not options.show:
        for key in _wanted(options):
            if all(any(run[name] != key[name] for name in KEY) for run in _runs()):
                _do(key, options)
    rows = _table(_runs())
    show(rows)
    if options.plot:
        draw(rows, options.plot)


def _wanted(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the runs asked for, seed by seed, so that a table fills evenly."""
    budget = f"{options.steps} steps" if options.steps else f"{options.minutes or 20:g} min"
    variants = list(VARIANTS) if "all" in options.variants else options.variants
    asked = itertools.product(options.seeds, options.data, options.images, options.cells, variants)
    for seed, data, images, cells, variant in asked:
        values = (data, str(images), str(cells), budget, Path(options.start).stem, variant, seed)
        yield dict(zip(KEY, values, strict=True))


def _runs() -> list[dict[str, Any]]:
    """Return the runs that are kept; in the older ones every cell was painted."""
    lines = RUNS.read_text(encoding="utf-8").splitlines() if RUNS.exists() else []
    return [{"cells": "all", **json.loads(line)} for line in lines]


def _do(key: dict[str, Any], options: argparse.Namespace) -> None:
    """Do a run, unless another process is at it."""
    name = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
    taken = Path(tempfile.gettempdir()) / f"unetseg-accuracy-{name}.lock"
    if lock.holder_of(taken) or not lock.take(taken):
        return
    print(f"\n{key}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = (options.keep or Path(folder)) / f"{name}.safetensors"
        rows = list(_measured(key, path=path, options=options))
    with RUNS.open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
    taken.unlink(missing_ok=True)


def _measured(key: dict[str, Any], *, path: Path, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Train, and yield the scores as decoded by default, then those of other ways to decode."""
    training = _drawn(samples(key["data"], "train"), count=key["images"], seed=key["seed"])
    start = load_model(options.start) if options.start else None
    card = None if start is None else start.card
    if key["cells"] == "all":
        usual = start_recipe(card, channels=len(training[0].image))
    else:
        training = draw_painted(training, count=int(key["cells"]), seed=key["seed"])
        usual = dock_recipe(training, card=card, zero_is_background=False)
    budget = {"steps": options.steps, "minutes": options.minutes, "seed": key["seed"]}
    layers = [usual.model_dump(), SETS.get(key["data"], {}), VARIANTS[key["variant"]], budget]
    recipe = make_recipe(layers, where=key["variant"])
    began = time.monotonic()
    for event in train.run(training, recipe=recipe, output=path, start=start):
        if isinstance(event, Note):
            print(event.message, flush=True)
    minutes = (time.monotonic() - began) / 60
    model = load_model(path)
    assert model.card.training is not None
    facts = {"minutes": minutes, "steps": model.card.training.steps, "machine": machine()}
    held = samples(key["data"], "val")
    for name, change in DECODING.items():
        variant = key["variant"] if not name else f"{key['variant']}, {name}"
        yield {**key, "variant": variant, **score_model(model, held, **change), **facts}


def _drawn(training: list[Sample], *, count: str, seed: int) -> list[Sample]:
    if count == "all":
        return training
    order = np.random.default_rng(seed).permutation(len(training))
    return [training[index] for index in order[: int(count)]]


def _table(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each variant: the mean over the seeds, and how far AP@0.5 varies."""
    rows = []
    names = KEY[:-1]
    runs = sorted(runs, key=lambda run: [str(run[name]) for name in names])
    for values, group in itertools.groupby(runs, key=lambda run: [run[name] for name in names]):
        some = list(group)
        means = {name: statistics.mean(run[name] for run in some) for name in SCORES}
        spread = statistics.stdev(run["AP@0.5"] for run in some) if len(some) > 1 else None
        rows.append({**dict(zip(names, values, strict=True)), **means, "sd of AP@0.5": spread, "seeds": len(some)})
    return rows


if __name__ == "__main__":
    main()
