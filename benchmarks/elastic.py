"""Elastic deformation of an image and its labels: ours against scipy, side by side, in CPU milliseconds per sample.

Both draw a 3x3 grid of displacements and interpolate the image (order 3) and the labels (order 0). CPU time, not wall
time, so that a busy machine does not decide. Run: python benchmarks/elastic.py
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from napari_unetseg.networks.augment import apply, draw
from napari_unetseg.schema.config import AugmentationConfig

SIGMA = 10.0
ELASTIC = AugmentationConfig(
    probability=1, elastic=SIGMA, rotation=0, scale=0, flip=False, gamma=0, brightness=0, contrast=0, blur=0, noise=0
)
RESULT = Path(__file__).parent / "results" / "elastic.json"


def main() -> None:
    """Measure, print the table, write the JSON beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=572, help="edge of the image (px)")
    parser.add_argument("--rounds", type=int, default=15, help="interleaved repetitions")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of torch (scipy has one)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    variants = make_variants(options.size)
    milliseconds = measure(variants, rounds=options.rounds)
    report(milliseconds, size=options.size, threads=options.threads, rounds=options.rounds)


def make_variants(size: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Return what to time: name -> (call, samples per call)."""
    rng = np.random.default_rng(0)
    image = rng.random((size, size), dtype=np.float32)
    labels = np.kron(rng.permutation(1024).reshape(32, 32), np.ones((-(-size // 32),) * 2, int))[:size, :size]
    labels = np.ascontiguousarray(labels, dtype=np.int32)
    return {
        "scipy zoom + map_coordinates": (lambda: deform_scipy(image, labels, rng=rng), 1),
        "ours, batch 1": (deform_ours(image, labels, batch=1), 1),
        "ours, batch 8": (deform_ours(image, labels, batch=8), 8),
    }


def deform_scipy(image: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Deform the usual way: zoom the control points to pixels, then look the pixels up."""
    size = image.shape[0]
    field = [ndimage.zoom(points, size / 3, order=3) for points in rng.normal(0, SIGMA, (2, 3, 3))]
    places = np.mgrid[:size, :size] + np.stack(field)
    warped = ndimage.map_coordinates(image, places, order=3, mode="mirror")
    return warped, ndimage.map_coordinates(labels, places, order=0, mode="mirror")


def deform_ours(image: np.ndarray, labels: np.ndarray, *, batch: int) -> Callable[[], object]:
    """Return a call that draws and applies elastic deformation to a batch."""
    images = torch.from_numpy(np.stack([image[None]] * batch))
    ids = torch.from_numpy(np.stack([labels] * batch))
    generator = torch.Generator().manual_seed(0)

    def call() -> object:
        return apply(images, ids, draw(ELASTIC, batch=batch, shape=ids.shape[1:], generator=generator))

    return call


def measure(variants: dict[str, tuple[Callable[[], object], int]], *, rounds: int) -> dict[str, list[float]]:
    """Time all variants in turn, round after round, so that a busy moment hits all alike; CPU ms per sample."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, (call, samples) in variants.items():
            start = time.process_time()
            call()
            if number:  # the first round warms up
                times[name].append((time.process_time() - start) * 1000 / samples)
    return times


def report(milliseconds: dict[str, list[float]], **settings: int) -> None:
    """Print the table and store it as JSON; the speed-up compares the best rounds, which others disturbed least."""
    reference = min(next(iter(milliseconds.values())))
    rows = {
        name: {
            "best_ms": round(min(values), 2),
            "median_ms": round(statistics.median(values), 2),
            "speed_up": round(reference / min(values), 1),
        }
        for name, values in milliseconds.items()
    }
    print(f"elastic deformation, image and labels of {settings['size']}^2, {settings['threads']} thread(s)")
    print(f"{'':32s} {'best ms':>9s} {'median ms':>10s} {'speed-up':>9s}")
    for name, row in rows.items():
        print(f"{name:32s} {row['best_ms']:9.2f} {row['median_ms']:10.2f} {row['speed_up']:8.1f}x")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({**settings, "torch": torch.__version__, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
