"""Membranes in electron micrographs (ISBI 2012), for local measurement only: python benchmarks/membranes.py.

The cells between the membranes are learnt as objects, with the default recipe. Measured on the validation sections are
the pixel error of the membranes (what is not foreground), and of the objects, grown into the membranes, the adapted
Rand error and the variation of information, over the pixels of true cells (Arganda-Carreras et al. 2015).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from datasets import data_folder, samples
from report import publish
from skimage.metrics import adapted_rand_error, variation_of_information
from skimage.segmentation import expand_labels

from napari_unetseg.images import normalize
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.events import Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor

DATA = "isbi2012_em"
THICKEST = 20  # px of a membrane into which cells are grown


def main() -> None:
    """Train, or take a model, and publish its errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--model", help="a model to measure instead of training one")
    parser.add_argument("--keep", type=Path, help="where to write the model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "membranes.safetensors"
        if options.model is None:
            for event in train.run(samples(DATA, "train"), recipe=Recipe(minutes=options.minutes), output=path):
                if isinstance(event, Validated):
                    print(event, flush=True)
        model = load_model(options.model or path)
    rows = [_errors(model, threshold=threshold) for threshold in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    publish("membranes", rows, minutes=options.minutes)


def _errors(model: Model, *, threshold: float) -> dict[str, Any]:
    """Return the errors, means over the sections."""
    predictor = Predictor(model.network, target=model.card.target)
    config = model.card.decoding.replace(threshold=threshold)
    pixel, rand, split, merged = [], [], [], []
    for sample in samples(DATA, "val"):
        truth = tifffile.imread(data_folder() / DATA / "membranes" / sample.name) > 0
        stretch = normalize.measure([sample.image], config=model.card.normalization)
        maps = finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))
        pixel.append(np.mean((maps[0] >= 1 - threshold) != truth))
        cells = expand_labels(decode(maps, config=config, target=model.card.target), THICKEST)
        rand.append(adapted_rand_error(sample.labels, cells, ignore_labels=(0,))[0])
        parts = variation_of_information(sample.labels, cells, ignore_labels=(0,))
        split.append(parts[0])
        merged.append(parts[1])
    means = [float(np.mean(values)) for values in (pixel, rand, split, merged)]
    names = ("pixel error", "adapted Rand error", "VOI split", "VOI merged")
    return {"threshold": threshold, **dict(zip(names, means, strict=True))}


if __name__ == "__main__":
    main()
