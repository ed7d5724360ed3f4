"""Does an object's confidence tell how right it is? python benchmarks/confidence.py --model nuclei --data dsb2018_fluo.

Every object found in the validation images has an IoU with the true object that it fits best (0: none). Estimates made
of the network's maps alone are compared by their rank correlation with that IoU, by how often an object with an IoU of
0.5 (0.75) gets a higher value than one without, and by the correlation of their mean over an image with its AP@0.5.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
from datasets import samples
from report import publish
from scipy.stats import mannwhitneyu, spearmanr

from napari_unetseg.images import normalize
from napari_unetseg.labels import metrics
from napari_unetseg.labels.confidence import confidence
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.overlap import count_overlaps
from napari_unetseg.labels.targets import make_targets
from napari_unetseg.schema.config import TargetConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.predict import Predictor


def main() -> None:
    """Compare the estimates on every data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--data", nargs="+", default=["dsb2018_fluo"])
    parser.add_argument("--part", default="val")
    options = parser.parse_args()
    model = load_model(options.model)
    predictor = Predictor(model.network, target=model.card.target)
    config = model.card.decoding.replace(min_confidence=0.0)
    rows = []
    for data in options.data:
        images = []
        for sample in samples(data, options.part):
            stretch = normalize.measure([sample.image], config=model.card.normalization)
            maps = finish(predictor.predict(normalize.apply(sample.image, stretch=stretch)))
            labels = decode(maps, config=config, target=model.card.target)
            images.append(_judge(labels, maps, sample.labels, target=model.card.target))
        rows += _compare(images, data=data)
    publish("confidence", rows, model=model.card.name)


def _judge(labels: np.ndarray, maps: np.ndarray, truth: np.ndarray, *, target: TargetConfig) -> dict[str, np.ndarray]:
    """Return for each object its IoU and the estimates; and the AP of the image."""
    count = int(labels.max())
    iou = np.zeros(count + 1)
    pairs = count_overlaps(labels, truth)
    np.maximum.at(iou, pairs.first_ids[pairs.first].astype(int), pairs.iou)
    targets = make_targets(labels, config=target)
    likely = np.take_along_axis(maps, targets.classes[None], axis=0)[0]
    estimates = {"foreground": confidence(labels, maps), "own classes": _means(labels, likely)}
    sharp = (1 - maps[0] > 0.8).astype(float)
    estimates["pixels above 0.8"] = _means(labels, sharp)
    if targets.distance is not None:
        near = 1 - np.abs(maps[target.class_count] - targets.distance)
        estimates["own distance"] = _means(labels, near)
        estimates["classes x distance"] = estimates["own classes"] * estimates["own distance"]
        estimates["foreground x distance"] = estimates["foreground"] * estimates["own distance"]
    found = {name: values[1 : count + 1] for name, values in estimates.items()}
    return {"IoU": iou[1:], "AP": np.array([metrics.score(labels, truth).counts[0].ap]), **found}


def _means(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    sums = np.bincount(labels.ravel(), weights=values.ravel())
    return np.asarray(sums / np.maximum(1, np.bincount(labels.ravel())))


def _compare(images: Sequence[dict[str, np.ndarray]], *, data: str) -> list[dict[str, Any]]:
    rows = []
    iou = np.concatenate([image["IoU"] for image in images])
    for name in (name for name in images[0] if name not in ("IoU", "AP")):
        values = np.concatenate([image[name] for image in images])
        row = {
            "data": data,
            "estimate": name,
            "objects": len(iou),
            "rank correlation": float(spearmanr(values, iou)[0]),
        }
        for threshold in (0.5, 0.75):
            good, bad = values[iou >= threshold], values[iou < threshold]
            row[f"IoU {threshold:g} told"] = float(mannwhitneyu(good, bad)[0] / max(1, len(good) * len(bad)))
        means = [image[name].mean() if len(image[name]) else 0.0 for image in images]
        row["image: rank correlation with AP"] = float(spearmanr(means, [image["AP"][0] for image in images])[0])
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
