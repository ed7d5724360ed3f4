"""Does scaling to the size that a model has learnt help, and is the size found? python benchmarks/scale.py.

Validation images are resampled, so that their cells are smaller or larger than the model knows, and segmented as they
are, with the true median diameter, and with the diameter that is measured. Objects that are still seen are counted
together over all images.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from datasets import samples
from report import publish

from napari_unetseg.images.arrays import from_array
from napari_unetseg.images.rescale import nearest, resample, scaled_shape
from napari_unetseg.labels import metrics
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.tasks import segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample, diameter_of, median_size
from napari_unetseg.tasks.scaled import LARGEST, SMALLEST, factor_of

FACTORS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0)


def main() -> None:
    """Score each factor in three ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="dsb2018_fluo")
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--every", type=int, default=1, help="take every so-manieth image")
    parser.add_argument("--edge", type=int, default=512, help="largest edge (px) of what is taken of an image")
    parser.add_argument("--factors", nargs="+", type=float, default=FACTORS)
    options = parser.parse_args()
    model = load_model(options.model)
    held = [_corner(sample, edge=options.edge) for sample in samples(options.data, "val")[:: options.every]]
    rows = []
    for factor in options.factors:
        rows.append(_row([_resized(sample, factor=factor) for sample in held], model=model, factor=factor))
        print(rows[-1], flush=True)
    publish("scale", rows, data=options.data, model=options.model, images=len(held))


def _row(images: list[Sample], *, model: Model, factor: float) -> dict[str, Any]:
    predictor = Predictor(model.network, target=model.card.target)
    scores: dict[str, list[Any]] = {"as it is": [], "true": [], "auto": []}
    scaled = 0
    for sample in images:
        true = _reasonable(diameter_of(median_size([sample]), ndim=2), model=model)
        for name, diameter in (("as it is", None), ("true", true), ("auto", "auto")):
            found = _segmented(sample, model=model, predictor=predictor, diameter=diameter)
            scores[name].append(metrics.score(found.labels, sample.labels))
            scaled += name == "auto" and factor_of(model.card, diameter=found.decoding.diameter) != 1
    ap = {f"AP@0.5, {name}": metrics.summarize(found)["ap"]["0.50"] for name, found in scores.items()}
    return {"resized by": factor, **ap, "scaled by auto": f"{scaled} of {len(images)}"}


def _segmented(sample: Sample, *, model: Model, predictor: Predictor, diameter: Any) -> Any:
    decoding: DecodingConfig = model.card.decoding.replace(diameter=diameter)
    source = from_array(sample.image[0], axes="YX", name=sample.name)
    return finish(segment.run(source, model=model, predictor=predictor, decoding=decoding))


def _reasonable(diameter: float, *, model: Model) -> float:
    """Return a diameter within what a model may be scaled to."""
    assert model.card.object_diameter is not None
    return min(max(diameter, model.card.object_diameter / LARGEST), model.card.object_diameter / SMALLEST)


def _corner(sample: Sample, *, edge: int) -> Sample:
    return replace(sample, image=sample.image[:, :edge, :edge], labels=sample.labels[:edge, :edge])


def _resized(sample: Sample, *, factor: float) -> Sample:
    """Return the image and its labels with pixels of another size."""
    shape = sample.labels.shape
    edges = scaled_shape(shape, factor=factor)
    region = tuple(slice(0, edge) for edge in edges)
    image = resample(sample.image.astype(np.float32), region=region, shape=shape, start=(0, 0), factor=factor)
    return replace(sample, image=image, labels=nearest(sample.labels, factor=factor))


if __name__ == "__main__":
    main()
