"""U-Net++ on the Data Science Bowl's images at 96 x 96: python benchmarks/unet_plus_plus.py --steps 1000.

What the common example of this network does (foreground against background, images of all kinds squeezed to 96 x 96
pixels, labels by the nearest pixel, batches of 16, width 32, deep supervision; IoU 0.84), with this package's training.
Its split is another: the validation images of the three kinds here. Printed is the IoU of the foreground, over all
pixels and as the mean over images, for each of the networks; `results/unet_plus_plus.json` keeps a row of each run.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import samples
from report import RESULTS, publish
from skimage.transform import resize

from napari_unetseg.images import normalize
from napari_unetseg.schema.config import AugmentationConfig, LossConfig, NetworkConfig, Recipe, TargetConfig
from napari_unetseg.schema.events import Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample

SETS = ("dsb2018_fluo", "dsb2018_histology", "dsb2018_brightfield")
NAME = "unet_plus_plus"
EDGE = 96
AUGMENTATIONS = {
    "as ever": AugmentationConfig(),
    "mirrored": AugmentationConfig(probability=0.0, blur=0.0, noise=0.0),  # and other intensities, as in the example
}


def main() -> None:
    """Train each network, and publish its IoU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=["unet_plus_plus"])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--loss", default="cross_entropy_dice")
    parser.add_argument("--smooth", action="store_true", help="smooth images before they are made smaller")
    parser.add_argument("--augmentation", default="as ever", choices=AUGMENTATIONS)
    options = parser.parse_args()
    held = [sample for name in SETS for sample in _squeezed(name, "val", is_smoothed=options.smooth)]
    file = RESULTS / f"{NAME}.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    for network in options.networks:
        model = _trained(network, options=options)
        told = {key: getattr(options, key) for key in ("steps", "width", "loss", "augmentation", "smooth")}
        run = {"network": network, **told}
        rows = [row for row in rows if any(row[key] != value for key, value in run.items())]
        rows.append({**run, **_scores(model, held)})
        publish(NAME, rows, images=len(held))


def _squeezed(name: str, part: str, *, is_smoothed: bool) -> Iterator[Sample]:
    """Yield images of three channels and masks of 0 and 1, both `EDGE` pixels wide.

    Without smoothing, as in the example, a pixel of the image tells of the same place as that of the mask.
    """
    for sample in samples(name, part):
        image = np.broadcast_to(sample.image, (3, *sample.labels.shape)).astype(np.float32)
        small = np.stack([resize(channel, (EDGE, EDGE), order=1, anti_aliasing=is_smoothed) for channel in image])
        mask = resize(sample.labels > 0, (EDGE, EDGE), order=0, anti_aliasing=False)
        yield Sample(small, mask.astype(np.uint8), f"{name}/{sample.name}")


def _trained(network: str, *, options: argparse.Namespace) -> Model:
    training = [sample for name in SETS for sample in _squeezed(name, "train", is_smoothed=options.smooth)]
    recipe = Recipe(
        network=NetworkConfig(architecture=network, width=options.width, in_channels=3, out_channels=2),
        target=TargetConfig(kind="semantic", classes=2),
        loss=LossConfig(kind=options.loss),
        augmentation=AUGMENTATIONS[options.augmentation],
        patch=(EDGE, EDGE),
        batch=16,
        steps=options.steps,
        validation=0.1,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{network}.safetensors"
        for event in train.run(training, recipe=recipe, output=path):
            if isinstance(event, Validated):
                print(event, flush=True)
        return load_model(path)


def _scores(model: Model, held: list[Sample]) -> dict[str, Any]:
    predictor = Predictor(model.network, target=model.card.target)
    both, either = [], []
    for sample in held:
        stretch = normalize.measure([sample.image], config=model.card.normalization)
        maps = finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))
        found, truth = maps.argmax(axis=0) > 0, sample.labels > 0
        both.append(np.count_nonzero(found & truth))
        either.append(np.count_nonzero(found | truth))
    return {"IoU": sum(both) / sum(either), "mean IoU of images": float(np.mean(np.divide(both, either)))}


if __name__ == "__main__":
    main()
