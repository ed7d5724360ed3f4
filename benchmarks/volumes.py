"""3D cells from a 2D or a 3D network, on `cells_3d`: python benchmarks/volumes.py --steps 1200 --folder DIR.

Trains a 2D network on the XY planes of the training volumes, and one on their planes along all three axes, with Z
stretched to the pixels of the plane. Scores on the validation volumes what planes joined by overlap give, and what the
three axes together give; with --native FILE also a 3D network. Models that stand in the folder are not trained again.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from datasets import samples
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.images.read import from_array
from napari_unetseg.labels import metrics
from napari_unetseg.schema.config import NetworkConfig, NormalizationConfig, Recipe
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import segment, train
from napari_unetseg.tasks.across import planes_across
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.samples import Sample, fit_sizes

DATA = "cells_3d"
AXES = {"planes": (0,), "three axes": (0, 1, 2)}
"""What the 2D networks are trained on: planes across these axes of a volume."""
WAYS: dict[str, dict[str, Any]] = {
    "joining planes": {"link_slices": True},
    "three axes, cubes": {"three_axes": True, "z_step": 1},
    "three axes": {"three_axes": True},
}


def main() -> None:
    """Train what is missing, and score all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where the models are kept")
    parser.add_argument("--steps", type=int, default=1200, help="budget of each training")
    parser.add_argument("--only", choices=list(AXES), help="train this one, score nothing")
    parser.add_argument("--native", type=Path, help="a 3D model, from accuracy.py --keep")
    options = parser.parse_args()
    for name in AXES if options.only is None else [options.only]:
        path = options.folder / f"{name.replace(' ', '_')}.safetensors"
        if not path.exists():
            _train(name, path=path, steps=options.steps)
    if options.only is None:
        publish("volumes", list(_rows(options)))


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the scores of each model and each way from planes to volumes; times are of the processor."""
    held = samples(DATA, "val")
    for name in AXES:
        model = load_model(options.folder / f"{name.replace(' ', '_')}.safetensors")
        assert model.card.training is not None
        facts = {"network": "2D", "trained on": name, "steps": model.card.training.steps}
        for way, changes in WAYS.items():
            yield {**facts, "3D by": way, **_score(model, held, **changes)}
    if options.native is not None:
        model = load_model(options.native)
        assert model.card.training is not None
        for way, changes in {"the network": {}, "the network, 8 views": {"views": 8}}.items():
            facts = {"network": "3D", "trained on": "volumes", "steps": model.card.training.steps}
            yield {**facts, "3D by": way, **_score(model, held, **changes)}


def _score(model: Model, held: Sequence[Sample], **changes: Any) -> dict[str, Any]:
    """Return the scores of both volumes together, and the AP@0.5 of each."""
    config = model.card.decoding
    if changes.get("three_axes"):  # sizes of planes are no sizes of volumes
        config = fit_sizes(config, samples(DATA, "train"))
    config = config.replace(**changes)
    began, scores = time.process_time(), []
    for sample in held:
        assert sample.pixel_size is not None
        scale = dict(zip("ZYX", sample.pixel_size, strict=True))
        source = from_array(sample.image[0], axes="ZYX", scale=scale, name=sample.name)
        labels = finish(segment.run(source, model=model, decoding=config)).labels
        scores.append(metrics.score(labels, sample.labels))
    summary = metrics.summarize(scores)
    each = {sample.name.split("_")[0]: one.counts[0].ap for sample, one in zip(held, scores, strict=True)}
    found = sum(one.objects_predicted for one in scores)
    seconds = time.process_time() - began
    return {"AP@0.5": summary["ap"]["0.50"], "mean AP": summary["mean_ap"], **each, "found": found, "seconds": seconds}


def _train(name: str, *, path: Path, steps: int) -> None:
    """Train on all planes; two volumes of different kinds: none can be spared to choose the best weights by."""
    planes = [plane for volume in samples(DATA, "train") for plane in _planes(volume, axes=AXES[name])]
    stack = NormalizationConfig(scope="stack")
    recipe = Recipe(network=NetworkConfig(ndim=2), normalization=stack, validation=0.0, steps=steps)
    for event in train.run(planes, recipe=recipe, output=path):
        if isinstance(event, Note):
            print(event.message, flush=True)


def _planes(volume: Sample, *, axes: tuple[int, ...]) -> Iterator[Sample]:
    """Yield the planes of a volume across Z, and with three axes across the others."""
    stretch = normalize.measure([volume.image], config=NormalizationConfig(scope="stack"))
    volume = replace(volume, stretch=stretch, origin=volume.name)
    for z, labels in enumerate(volume.labels):
        yield replace(volume, image=volume.image[:, z], labels=labels, pixel_size=None)
    if len(axes) == 3:
        assert volume.pixel_size is not None
        z_step = round(volume.pixel_size[0] / volume.pixel_size[-1])
        yield from (replace(plane, pixel_size=None) for plane in planes_across(volume, z_step=z_step))


if __name__ == "__main__":
    main()
