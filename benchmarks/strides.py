"""What maps of a stride can say at all: python benchmarks/strides.py.

Networks such as FCN give logits for every 4th to 32nd pixel, which are enlarged. Here nothing is learnt from images:
such maps are fitted to the truth of each held-back image itself, with the loss and decoding of the default recipe. A
network of that stride also has to find them in the image. It is no strict bound: what is minimised is the loss, and
more steps of Adam, or another rate, find somewhat better maps.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import torch
from datasets import samples
from report import publish
from torch.nn.functional import interpolate

from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.targets import make_targets
from napari_unetseg.labels.weights import weight_map
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.samples import Sample, fit_sizes

DATA = "dsb2018_fluo"
STRIDES = (4, 8, 16, 32)
RATE = 0.5


def main() -> None:
    """Fit maps of each stride, and publish their scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--steps", type=int, default=600, help="of Adam for each image")
    parser.add_argument("--every", type=int, default=4, help="image that is taken")
    options = parser.parse_args()
    recipe = Recipe()
    recipe = recipe.replace(decoding=fit_sizes(recipe.decoding, samples(options.data, "train")))
    held = samples(options.data, "val")[:: options.every]
    rows = []
    for stride in STRIDES:
        scores = [_score(sample, stride=stride, recipe=recipe, steps=options.steps) for sample in held]
        summary = metrics.summarize(scores)
        rows.append({"stride": stride, **_chosen(summary)})
        publish("strides", rows, data=options.data, steps=options.steps, images=len(held))


def _chosen(summary: dict[str, Any]) -> dict[str, float]:
    return {"AP@0.5": summary["ap"]["0.50"], "mean AP": summary["mean_ap"], "IoU": summary["iou"][1]}


def _score(sample: Sample, *, stride: int, recipe: Recipe, steps: int) -> metrics.ImageScores:
    maps = _fitted(sample.labels, stride=stride, recipe=recipe, steps=steps)
    return metrics.score(decode(maps, config=recipe.decoding, target=recipe.target), sample.labels)


def _fitted(labels: np.ndarray, *, stride: int, recipe: Recipe, steps: int) -> np.ndarray:
    """Return the maps (K, Y, X) that logits of a stride can give at best, as far as gradient descent finds them."""
    targets = make_targets(labels, config=recipe.target)
    weights = weight_map(labels, targets=targets, config=recipe.weights, class_weight=None)
    truth = [torch.from_numpy(np.ascontiguousarray(one))[None] for one in (targets.classes, targets.distance, weights)]
    size, classes = labels.shape, recipe.target.class_count
    coarse = torch.zeros(1, recipe.target.out_channels, *(-(-n // stride) for n in size), requires_grad=True)
    loss = SegmentationLoss(recipe.loss, recipe.target)
    optimizer = torch.optim.Adam([coarse], lr=RATE)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(_enlarged(coarse, stride=stride, size=size), *truth).backward()
        optimizer.step()
    with torch.no_grad():
        logits = _enlarged(coarse, stride=stride, size=size)[0]
        maps: np.ndarray = torch.cat([logits[:classes].softmax(dim=0), logits[classes:].clamp(0, 1)]).numpy()
    return maps


def _enlarged(coarse: torch.Tensor, *, stride: int, size: tuple[int, ...]) -> torch.Tensor:
    large = interpolate(coarse, scale_factor=stride, mode="bilinear", align_corners=False) if stride > 1 else coarse
    return large[..., : size[0], : size[1]]


if __name__ == "__main__":
    main()
