"""Decoding against the plain chain of scikit-image and scipy, on the same maps: python benchmarks/watershed.py.

Both do what the model's decoding settings say: threshold, seeds, watershed, sizes, confidence, holes, numbers. Times
are processor seconds of one thread, in turn, the median of the rounds. `same pixels`: the share of all pixels on whose
object both agree, each object taken for the one of the other that covers most of it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from datasets import mosaic
from report import publish
from skimage import measure
from skimage.morphology import remove_small_objects
from skimage.segmentation import relabel_sequential, watershed

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.labels.decode import decode, seed_score
from napari_unetseg.labels.overlap import count_overlaps
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor

Variant = Callable[[np.ndarray, Model], np.ndarray]


def main() -> None:
    """Decode every image both ways and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--model3d", help="a 3D model, for the simulated volume; left out without")
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for name, image, model in _cases(options):
        maps = _maps(image, model)
        torch.set_num_threads(1)
        rows.append({"image": name} | _compare(maps, model, rounds=options.rounds))
        print(rows[-1])
    publish("watershed", rows)


def _cases(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, Model]]:
    model, edge = load_model(options.model), options.size
    yield "dsb2018_fluo", mosaic("dsb2018_fluo", edge=edge), model
    yield "dsb2018_brightfield", mosaic("dsb2018_brightfield", edge=edge), model
    for density in (0.25, 0.5):
        yield f"simulated, {density:.0%} cells", simulate((edge, edge), seed=1, density=density)[0], model
    if options.model3d:
        yield "simulated 3D", simulate((48, 256, 256), seed=1, density=0.4)[0], load_model(options.model3d)


def _maps(image: np.ndarray, model: Model) -> np.ndarray:
    stretch = normalize.measure([image[None]], config=model.card.normalization)
    predictor = Predictor(model.network, target=model.card.target)
    return finish(predictor.predict(normalize.apply(image[None], stretch=stretch)))


def _compare(maps: np.ndarray, model: Model, *, rounds: int) -> dict[str, Any]:
    times: dict[Variant, list[float]] = {_ours: [], _plain: []}
    labels: dict[Variant, np.ndarray] = {}
    for _ in range(rounds):
        for variant, seconds in times.items():
            began = time.process_time()
            labels[variant] = variant(maps, model)
            seconds.append(time.process_time() - began)
    ours, plain = (statistics.median(seconds) for seconds in times.values())
    pixels = maps[0].size
    return {
        "objects": int(labels[_ours].max()),
        "plain objects": int(labels[_plain].max()),
        "ns / pixel": 1e9 * ours / pixels,
        "plain / ours": plain / ours,
        "same pixels": _agreement(labels[_ours], labels[_plain].astype(np.uint32)),
        "same objects": int(np.count_nonzero(count_overlaps(labels[_ours], labels[_plain].astype(np.uint32)).iou == 1)),
    }


def _ours(maps: np.ndarray, model: Model) -> np.ndarray:
    return decode(maps, config=model.card.decoding, target=model.card.target)


def _plain(maps: np.ndarray, model: Model) -> np.ndarray:
    """Decode in calls of scikit-image, as its gallery puts them together."""
    config, target = model.card.decoding, model.card.target
    foreground = 1 - maps[0] > config.threshold
    score = seed_score(maps, kind=target.kind)
    pieces = measure.label(foreground, connectivity=1)
    seeds = measure.label(foreground & (score > config.seed_threshold), connectivity=1)
    seeds = _without_specks(seeds, pieces, min_seed=config.min_seed)
    is_seeded = np.zeros(pieces.max() + 1, bool)
    is_seeded[pieces[seeds > 0]] = True
    seeds = np.where(foreground & ~is_seeded[pieces], pieces + seeds.max(), seeds)
    labels = watershed(-score, seeds, mask=foreground)
    labels = remove_small_objects(labels, max_size=config.min_size - 1)
    if config.min_confidence:
        for region in measure.regionprops(labels, intensity_image=1 - maps[0]):
            if region.intensity_mean < config.min_confidence:
                labels[region.slice][region.image] = 0
    if config.fill_holes:
        for region in measure.regionprops(labels):
            box = labels[region.slice]
            box[region.image_filled & (box == 0)] = region.label
    return np.asarray(relabel_sequential(labels)[0])


def _without_specks(seeds: np.ndarray, pieces: np.ndarray, *, min_seed: int) -> np.ndarray:
    """Leave out small seeds but for the largest of each piece."""
    size = np.bincount(seeds.ravel())
    piece = np.zeros(len(size), np.intp)
    piece[seeds.ravel()] = pieces.ravel()
    largest = np.zeros(pieces.max() + 1, np.intp)
    np.maximum.at(largest, piece[1:], size[1:])
    is_kept = (size >= min_seed) | (size == largest[piece])
    return np.where(is_kept, np.arange(len(size)), 0)[seeds]


def _agreement(ours: np.ndarray, plain: np.ndarray) -> float:
    """Return the share of pixels in the largest common part of each object; the background is one of them."""
    common = np.zeros(int(ours.max()) + 1, np.intp)
    pairs, counts = np.unique(np.stack([ours.ravel(), plain.ravel()]), axis=1, return_counts=True)
    np.maximum.at(common, pairs[0], counts)
    return float(common.sum() / ours.size)


if __name__ == "__main__":
    main()
