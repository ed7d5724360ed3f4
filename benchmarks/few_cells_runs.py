"""Runs on a few painted cells that are kept line by line, so that several processes can share them."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from datasets import halved, samples
from painted import draw_painted
from report import RESULTS, show

from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.samples import Sample
from napari_unetseg.tasks.start import fit_annotation, start_recipe

HALVED = ("usiigaci_t98g_phase", "dsb2018_brightfield")  # large images, so that a run takes two minutes
FLUO = "dsb2018_fluo"


def few_images(data: str, *, cells: int, seed: int) -> list[Sample]:
    """Return training images of which so many cells are painted, drawn by the seed."""
    return draw_painted(_sized(data, "train"), count=cells, seed=seed)


def held_images(data: str) -> list[Sample]:
    """Return the validation images; of the fluorescence set every third of the smaller ones, fifteen at most."""
    held = _sized(data, "val")
    return [sample for sample in held if sample.labels.size < 300_000][::3][:15] if data == FLUO else held


def tune(given: list[Sample], *, start: Model | None, card: ModelCard | None, **changes: Any) -> Model:
    """Train on painted cells as the Train dock does, but by steps and with nothing held back."""
    usual = start_recipe(card, channels=len(given[0].image))
    usual = fit_annotation(usual, zero_is_background=False, is_from_scratch=card is None)
    recipe: Recipe = usual.replace(validation=0.0, validate_every=1.0, **changes)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        finish(train.run(given, recipe=recipe, output=path, start=start))
        return load_model(path)


def do_missing(name: str, keys: Sequence[dict[str, Any]], measure: Callable[..., dict[str, Any]]) -> None:
    """Measure what `results/NAME.jsonl` does not hold yet, add it there, and print the means over the seeds."""
    path = RESULTS / f"{name}.jsonl"
    for key in keys:
        if any(all(run.get(entry) == value for entry, value in key.items()) for run in _kept(path)):
            continue
        run = {**key, **measure(**key)}
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
    _show(_kept(path), names=[entry for entry in keys[0] if entry != "seed"])


def _sized(data: str, part: str) -> list[Sample]:
    return [halved(sample) if data in HALVED else sample for sample in samples(data, part)]


def _kept(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _show(runs: list[dict[str, Any]], *, names: list[str]) -> None:
    rows = []
    runs.sort(key=lambda run: [str(run[name]) for name in names])
    for values, group in groupby(runs, key=lambda run: [run[name] for name in names]):
        some = list(group)
        scores = [score for score in some[0] if score not in (*names, "seed")]
        means = {
            score: statistics.mean(run[score] for run in some) for score in scores if all(score in run for run in some)
        }
        rows.append({**dict(zip(names, values, strict=True)), **means, "draws": len(some)})
    show(rows)
