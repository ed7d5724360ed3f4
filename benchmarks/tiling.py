"""Exact tiles against the untiled pass and MONAI's sliding window, same weights and image: python benchmarks/tiling.py.

Times are processor seconds of this process, the variants taken in turn and the median of the rounds kept, so that other
programs on the machine disturb little. Ratios are against the untiled pass in float32, channels-last, BatchNorm folded.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor

Variant = Callable[[], np.ndarray]


def main() -> None:
    """Run all variants and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--size", type=int, nargs=2, default=(1500, 1410))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bfloat16", action="store_true", help="time bfloat16 too (slow without AMX or AVX512-BF16)")
    options = parser.parse_args()
    model = load_model(options.model)
    raw, truth = simulate(tuple(options.size), seed=5)
    stretch = normalize.measure([raw[None]], config=model.card.normalization)
    image = normalize.apply(raw[None], stretch=stretch)
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
    publish("tiling", rows, image=list(options.size), model=model.card.name, width=model.card.network.width)


def _variants(model: Model, image: np.ndarray, *, with_bfloat16: bool) -> dict[str, Variant]:
    def ours(tile: int, precision: str = "float32") -> Variant:
        tiling = TilingConfig.model_validate({"tile": tile, "precision": precision, "device": "cpu"})
        predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
        return lambda: finish(predictor.predict(image))

    variants = {"untiled": ours(4096)} | {f"exact tiles {tile}": ours(tile) for tile in (256, 512, 1024)}
    variants |= _monai(model, image)
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
        return _probabilities(logits, model)[:, : image.shape[1], : image.shape[2]]

    return run


def _monai(model: Model, image: np.ndarray) -> dict[str, Variant]:
    """MONAI's sliding window with the same folded, channels-last network."""
    try:
        from monai.inferers import sliding_window_inference
    except ImportError:
        print("MONAI is not installed: left out")
        return {}
    predictor = Predictor(
        model.network, target=model.card.target, tiling=TilingConfig(precision="float32", device="cpu")
    )
    network = predictor._network

    def run() -> np.ndarray:
        with torch.inference_mode():
            batch = torch.from_numpy(image[None]).contiguous(memory_format=torch.channels_last)
            logits = sliding_window_inference(batch, 512, 1, network, overlap=0.5, mode="gaussian")[0]
        return _probabilities(logits, model)

    return {"MONAI 512, overlap 0.5, gaussian": run}


def _probabilities(logits: torch.Tensor, model: Model) -> np.ndarray:
    classes = model.card.target.class_count
    maps = [torch.softmax(logits[:classes], dim=0), logits[classes:].clamp(0, 1)]
    return torch.cat(maps).numpy()


def _labels(maps: np.ndarray, model: Model) -> np.ndarray:
    return decode(np.ascontiguousarray(maps), config=model.card.decoding, target=model.card.target)


if __name__ == "__main__":
    main()
