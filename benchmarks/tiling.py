"""Exact tiles against the untiled pass and other packages' tiles, same weights and image: python benchmarks/tiling.py.

Times are processor seconds of this process, the variants taken in turn and the median of the rounds kept, so that other
programs on the machine disturb little. Ratios are against the untiled pass in float32, channels-last, BatchNorm folded.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import torch
from memory import over_idle
from report import publish
from tiling_peers import Variant, peers, probabilities

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor


def main() -> None:
    """Run all variants and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--size", type=int, nargs=2, default=(1500, 1410))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--memory", action="store_true", help="run each once more in a process of its own, and weigh it"
    )
    parser.add_argument("--bfloat16", action="store_true", help="time bfloat16 too (slow without AMX or AVX512-BF16)")
    options = parser.parse_args()
    model = load_model(options.model)
    image, truth = _image(model, tuple(options.size))
    variants = _variants(model, image, with_bfloat16=options.bfloat16)
    times: dict[str, list[float]] = {name: [] for name in variants}
    maps: dict[str, np.ndarray] = {}
    for _ in range(options.rounds):
        for name, run in variants.items():
            began = time.process_time()
            maps[name] = run()
            times[name].append(time.process_time() - began)
    whole = next(iter(variants))
    base = statistics.median(times[whole])
    reference = _labels(maps[whole], model)
    rows = []
    for name in variants:
        labels = _labels(maps[name], model)
        scores = metrics.summarize([metrics.score(labels, reference)])
        rows.append(
            {
                "variant": name,
                "time / untiled": statistics.median(times[name]) / base,
                "largest difference": float(np.abs(maps[name] - maps[whole]).max()),
                "identical labels": bool((labels == reference).all()),
                "objects that differ (IoU < 0.9)": 1 - scores["ap"]["0.90"],
                "AP@0.5 against truth": metrics.summarize([metrics.score(labels, truth)])["ap"]["0.50"],
            }
        )
        if options.memory:
            rows[-1]["MiB over idle"] = over_idle(_prepare, options, name)
    publish("tiling", rows, image=list(options.size), model=model.card.name, width=model.card.network.width)


def _image(model: Model, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a simulated image, normalised, and its truth."""
    raw, truth = simulate(size, seed=5)
    stretch = normalize.measure([raw[None]], config=model.card.normalization)
    return normalize.apply(raw[None], stretch=stretch), truth


def _prepare(options: argparse.Namespace, name: str) -> Variant:
    """Return a variant in a process of its own, with libraries loaded and kernels made by a small image before."""
    model = load_model(options.model)
    image, _ = _image(model, tuple(options.size))
    _variants(model, image[:, :576, :576].copy(), with_bfloat16=options.bfloat16, only=name)[name]()
    return _variants(model, image, with_bfloat16=options.bfloat16, only=name)[name]


def _variants(model: Model, image: np.ndarray, *, with_bfloat16: bool, only: str | None = None) -> dict[str, Variant]:
    def ours(tile: int, precision: str = "float32") -> Variant:
        tiling = TilingConfig.model_validate({"tile": tile, "precision": precision, "device": "cpu"})
        predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
        return lambda: finish(predictor.predict(image))

    variants = {"untiled": ours(4096)} | {f"exact tiles {tile}": ours(tile) for tile in (256, 512, 1024)}
    variants |= peers(model, image, only=only)
    variants["untiled, plain eager"] = _eager(model, image)
    if with_bfloat16:
        variants |= {f"bfloat16, tiles {tile}": ours(tile, "bfloat16") for tile in (512, 1024)}
    return variants


def _eager(model: Model, image: np.ndarray) -> Variant:
    """Run the network as it is trained: NCHW, BatchNorm as layers."""
    padded = np.pad(image, [(0, 0), *((0, -size % 16) for size in image.shape[1:])], mode="reflect")

    def run() -> np.ndarray:
        with torch.inference_mode():
            logits = model.network(torch.from_numpy(padded[None]))[0]
        return probabilities(logits, model)[:, : image.shape[1], : image.shape[2]]

    return run


def _labels(maps: np.ndarray, model: Model) -> np.ndarray:
    return decode(np.ascontiguousarray(maps), config=model.card.decoding, target=model.card.target)


if __name__ == "__main__":
    main()
