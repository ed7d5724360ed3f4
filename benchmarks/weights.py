"""Time the boundary weight map against the plain recipe: one distance transform of the whole image per cell.

    OMP_NUM_THREADS=1 python benchmarks/weights.py

Both run in this process, one after the other, on the same cells; seconds are those of the processor. The table is
printed, and `results/weights.json` holds its numbers.
"""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.weights import boundary_weights, separate_touching
from napari_unetseg.schema.config import WeightConfig

CONFIG = WeightConfig()
EDGE = 1024
CELLS = (50, 200, 1000)
RADIUS = 12.0
"""Of a typical nucleus (px); smaller where that many would not fit."""
RESULTS = Path(__file__).parent / "results" / "weights.json"


def main() -> None:
    """Measure, print and save."""
    rows = [measure(draw_cells(count, edge=EDGE, seed=count)) for count in CELLS]
    print(f"{EDGE} x {EDGE} px, w0 {CONFIG.w0:g}, sigma {CONFIG.sigma:g} px")
    print("cells   diameter (px)   per-cell transform (s)   ours (ms)   ratio   largest error")
    for row in rows:
        print(
            f"{row['cells']:5d}   {row['diameter']:13.0f}   {row['naive_seconds']:22.2f}   {1e3 * row['seconds']:9.1f}"
            f"   {row['ratio']:4.0f}x   {row['max_error']:13.1e}"
        )
    RESULTS.parent.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__}
    document = {"edge": EDGE, "config": CONFIG.model_dump(), "versions": versions, "rows": rows}
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")


def measure(labels: NDArray[np.int32]) -> dict[str, Any]:
    """Run both on one label map."""
    _, weight = timed(lambda: boundary_weights(labels, config=CONFIG))
    before = [timed(lambda: boundary_weights(labels, config=CONFIG))[0] for _ in range(3)]
    reference_seconds, reference = timed(lambda: naive_weights(labels))
    after = [timed(lambda: boundary_weights(labels, config=CONFIG))[0] for _ in range(3)]
    ours = statistics.median([*before, *after])
    return {
        "cells": int(labels.max()),
        "diameter": float(np.sqrt(4 * np.bincount(labels.ravel())[1:] / np.pi).mean()),
        "naive_seconds": reference_seconds,
        "seconds": ours,
        "ratio": reference_seconds / ours,
        "max_error": float(np.abs(weight - reference).max()),
    }


def naive_weights(labels: NDArray[Any]) -> NDArray[np.float64]:
    """Return w0 exp(-(d1 + d2)^2 / (2 sigma^2)) from one distance transform per cell, keeping the two smallest."""
    separated = separate_touching(labels)
    nearest, second = np.full((2, *labels.shape), np.inf)
    for cell in np.unique(separated[separated > 0]):
        distance = ndimage.distance_transform_edt(separated != cell)
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    weight = CONFIG.w0 * np.exp(-((nearest + second) ** 2) / (2 * CONFIG.sigma**2))
    return np.where(separated == 0, weight, 0)


def timed(task: Callable[[], NDArray[Any]]) -> tuple[float, NDArray[Any]]:
    """Return the processor time of one call, and what it gave."""
    start = time.process_time()
    result = task()
    return time.process_time() - start, result


def draw_cells(count: int, *, edge: int, seed: int) -> NDArray[np.int32]:
    """Return that many ellipses at random places; some touch, none overlap."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((edge, edge), dtype=np.int32)
    radius = min(RADIUS, 0.32 * edge / count**0.5)
    drawn = 0
    while drawn < count:
        centre, axes = rng.uniform(0, edge, 2), radius * rng.uniform(0.7, 1.3, 2)
        crop = tuple(slice(max(0, int(c - 1.5 * radius)), int(c + 1.5 * radius) + 1) for c in centre)
        y, x = np.ogrid[tuple(slice(s.start, min(s.stop, edge)) for s in crop)]
        is_cell = ((y - centre[0]) / axes[0]) ** 2 + ((x - centre[1]) / axes[1]) ** 2 <= 1
        if is_cell.any() and not labels[crop][is_cell].any():
            drawn += 1
            labels[crop][is_cell] = drawn
    return labels


if __name__ == "__main__":
    main()
