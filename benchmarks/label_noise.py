"""How well can any model score, if outlines are right to a pixel? python benchmarks/label_noise.py.

The truth of the validation parts is scored against itself with its outlines moved: every object a pixel smaller, a
pixel larger, or one of these and unchanged with equal chance each. Two people who draw the same cells differ by that at
least. For the membranes of `isbi2012_em` it is the pixel error of membranes a pixel thinner or thicker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tifffile
from datasets import data_folder, samples
from report import publish
from scipy import ndimage
from skimage.segmentation import expand_labels

from napari_unetseg.labels import metrics

SETS = ("dsb2018_fluo", "dsb2018_histology", "dsb2018_brightfield", "usiigaci_t98g_phase", "cells_3d")
EM = "isbi2012_em"


def main() -> None:
    """Publish what the moved truth reaches."""
    rows = [_row(name, moved, move) for name in SETS for moved, move in _moves().items()]
    publish("label_noise", [*rows, *_membranes()])


def shrunk(labels: np.ndarray) -> np.ndarray:
    """Take the outermost pixels from every object: those with a pixel of something else at one of their sides."""
    inner = np.ones(labels.shape, bool)
    for axis in range(labels.ndim):
        ahead = [slice(None)] * labels.ndim
        behind = ahead.copy()
        ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
        differs = labels[tuple(ahead)] != labels[tuple(behind)]
        inner[tuple(ahead)] &= ~differs
        inner[tuple(behind)] &= ~differs
    return np.where(inner, labels, 0)


def grown(labels: np.ndarray) -> np.ndarray:
    """Give every object the background pixels at its sides."""
    found: np.ndarray = expand_labels(labels, 1)
    return found


def mixed(labels: np.ndarray) -> np.ndarray:
    """Move each object's outline in, out, or not at all, by chance."""
    change = np.random.default_rng(0).integers(-1, 2, size=int(labels.max()) + 1)
    moved = np.where(change[labels] < 0, shrunk(labels), labels)
    larger = grown(moved)
    return np.where((moved == 0) & (change[larger] > 0), larger, moved)


def _moves() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    return {"1 px smaller": shrunk, "1 px larger": grown, "smaller, larger or as it is": mixed}


def _row(name: str, moved: str, move: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    held = [np.maximum(sample.labels, 0).astype(np.int32) for sample in samples(name, "val")]
    summary = metrics.summarize([metrics.score(move(labels), labels) for labels in held])
    scores = {"AP@0.5": summary["ap"]["0.50"], "AP@0.75": summary["ap"]["0.75"], "mean AP": summary["mean_ap"]}
    return {"data": name, "outlines": moved, **scores, "mean AP, mean over images": summary["mean_ap_by_image"]}


def _membranes() -> Iterator[dict[str, Any]]:
    masks = [tifffile.imread(data_folder() / EM / "membranes" / sample.name) for sample in samples(EM, "val")]
    membranes = [mask > 0 for mask in masks]
    cross = ndimage.generate_binary_structure(2, 1)
    for moved, move in (("1 px thinner", ndimage.binary_erosion), ("1 px thicker", ndimage.binary_dilation)):
        errors = [float(np.mean(move(one, cross) != one)) for one in membranes]
        yield {"data": EM, "outlines": moved, "pixel error": float(np.mean(errors))}


if __name__ == "__main__":
    main()
