"""Membranes in electron micrographs (ISBI 2012), for local measurement only: python benchmarks/membranes.py.

The cells between the membranes are learnt as objects, with the default recipe; or, with --classes, the membranes as a
class. Measured on the validation sections are the pixel error of the membranes (their class, or what is not
foreground), the errors that are left when the true membranes are warped towards them, and of the cells, grown into
the membranes, the adapted Rand error and the variation of information, over the pixels of true cells (Arganda-Carreras
et al. 2015).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from datasets import data_folder, samples
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.regions import region_errors, regions_of
from napari_unetseg.labels.warping import warping_errors
from napari_unetseg.schema.config import LossKind, Recipe, TargetConfig
from napari_unetseg.schema.events import Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample

DATA = "isbi2012_em"
NAMES = {
    "pixel": "pixel error",
    "rand_error": "adapted Rand error",
    "voi_split": "VOI split",
    "voi_merged": "VOI merged",
    "warping_error": "warping error",
    "split_merge_error": "of splits and mergers",
    "splits": "splits",
    "mergers": "mergers",
}


def main() -> None:
    """Train, or take a model, and publish its errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--steps", type=int, help="a budget in steps instead of minutes")
    parser.add_argument("--classes", action="store_true", help="learn the membranes as a class")
    parser.add_argument("--balance", type=float, default=0.25, help="exponent of the class weights")
    parser.add_argument("--patch", type=int, help="edge of the patches in pixels")
    parser.add_argument("--elastic", type=float, default=10, help="px of elastic deformation")
    parser.add_argument("--loss", default="cross_entropy", help="what is minimised")
    parser.add_argument("--name", default="membranes", help="name of the results")
    parser.add_argument("--model", help="a model to measure instead of training one")
    parser.add_argument("--keep", type=Path, help="where to write the model")
    options = parser.parse_args()
    recipe = _recipe(options)
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "membranes.safetensors"
        if options.model is None:
            for event in train.run(_samples("train", recipe.target), recipe=recipe, output=path):
                if isinstance(event, Validated):
                    print(event, flush=True)
        model = load_model(options.model or path)
    if model.card.training is not None:  # a model that was given had a recipe of its own
        recipe = model.card.training.recipe
    sections = list(_sections(model))
    rows = [_errors(sections, model=model, threshold=number / 10) for number in range(1, 8)]
    facts = {"steps": recipe.steps} if recipe.steps else {"minutes": recipe.minutes}
    publish(options.name, rows, **facts, recipe=recipe.model_dump(include={"target", "weights", "loss", "patch"}))


def _recipe(options: argparse.Namespace) -> Recipe:
    recipe = Recipe(
        minutes=None if options.steps else options.minutes,
        steps=options.steps,
        patch=options.patch and (options.patch, options.patch),
        target=TargetConfig(kind="semantic" if options.classes else "both"),
    )
    loss: LossKind = options.loss
    return recipe.replace(
        weights=recipe.weights.replace(balance=options.balance),
        augmentation=recipe.augmentation.replace(elastic=options.elastic),
        loss=recipe.loss.replace(kind=loss),
    )


def _samples(part: str, target: TargetConfig) -> list[Sample]:
    """Return the sections with their cells, or with the membranes as class 1."""
    found = samples(DATA, part)
    return [replace(one, labels=_membranes(one).astype(np.uint8)) for one in found] if target.is_semantic else found


def _membranes(sample: Sample) -> np.ndarray:
    return np.asarray(tifffile.imread(data_folder() / DATA / "membranes" / sample.name) > 0)


def _sections(model: Model) -> Iterator[tuple[Sample, np.ndarray]]:
    """Yield the validation sections with the maps that the network gives of them."""
    predictor = Predictor(model.network, target=model.card.target)
    for sample in samples(DATA, "val"):
        stretch = normalize.measure([sample.image], config=model.card.normalization)
        yield sample, finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))


def _errors(sections: Sequence[tuple[Sample, np.ndarray]], *, model: Model, threshold: float) -> dict[str, Any]:
    """Return the errors, means over the sections; a membrane is where a cell is no more probable than `threshold`."""
    target = model.card.target
    config = model.card.decoding.replace(threshold=threshold)
    errors: list[dict[str, float]] = []
    for sample, maps in sections:
        cell = maps[0] if target.is_semantic else 1 - maps[0]
        is_cell = cell > threshold
        cells = regions_of(is_cell) if target.is_semantic else decode(maps, config=config, target=target)
        is_true_cell = ~_membranes(sample)
        pixel = float(np.mean(is_cell != is_true_cell))
        topology = warping_errors(_apart(cells), is_true_cell)
        errors.append({"pixel": pixel, **region_errors(cells, sample.labels), **topology})
    return {"threshold": threshold} | {
        name: float(np.mean([error[key] for error in errors])) for key, name in NAMES.items()
    }


def _apart(cells: np.ndarray) -> np.ndarray:
    """Return where cells are, with a line between those that touch."""
    is_cell = cells > 0
    for axis in (0, 1):
        here, there = np.moveaxis(is_cell, axis, 0)[:-1], np.moveaxis(cells, axis, 0)
        here &= (there[1:] == there[:-1]) | (there[1:] == 0)
    return is_cell


if __name__ == "__main__":
    main()
