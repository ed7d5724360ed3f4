"""Draw where a bundled model fails most: python benchmarks/gallery.py NAME ... [--folder docs/images].

Of each data set in `recipes/NAME.toml` the validation images with the lowest mean AP are shown with the truth and with
what was found. `NAME=FILE` takes the model from a file.
"""

from __future__ import annotations

import argparse
import io
import tomllib
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
from bundled import RECIPES, pooled
from PIL import Image
from scoring import segmented

from napari_unetseg.labels import metrics
from napari_unetseg.labels.mistakes import MISTAKES, error_map, judge
from napari_unetseg.labels.outlines import outlined, stretch
from napari_unetseg.labels.overlap import count_overlaps
from napari_unetseg.tasks.model import Model, load_model

mpl.use("Agg")
import matplotlib.pyplot as plt

PICTURES = {
    "nuclei": "failures_nuclei.png",
    "phase": "failures_phase.png",
    "histology": "failures_histology.png",
    "cells": "failures_cells.png",
}
SHOWN = 4  # images a model
EDGE = 360  # of an image at most (px): what is larger is cut to the part with the most mistakes
COLOURS = {"missed": (213, 94, 0), "spurious": (240, 228, 66), "merged": (86, 180, 233), "split": (214, 139, 187)}
RIGHT = (0, 190, 140)


@dataclass(frozen=True)
class Failure:
    """A validation image as it came out."""

    name: str
    image: np.ndarray
    truth: np.ndarray
    found: np.ndarray
    errors: np.ndarray
    ap50: float
    mean_ap: float


def main() -> None:
    """Draw a picture for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", metavar="NAME[=FILE]")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "docs" / "images")
    options = parser.parse_args()
    for given in options.models:
        name, _, file = given.partition("=")
        target = options.folder / PICTURES[name]
        _draw(_failures(name, model=load_model(file or name)), target)
        print(target)


def _failures(name: str, *, model: Model) -> list[Failure]:
    """Return the worst images, as many of each data set."""
    sets = tomllib.loads((RECIPES / f"{name}.toml").read_text(encoding="utf-8"))["sets"]
    shown = []
    for data in sets:
        found = [
            _judged(sample.name, sample.image, truth=sample.labels, found=labels)
            for sample, labels in segmented(model, pooled([data], "val", channels=model.card.network.in_channels))
        ]
        shown += sorted(found, key=lambda one: one.mean_ap)[: -(-SHOWN // len(sets))]
    return shown


def _judged(name: str, image: np.ndarray, *, truth: np.ndarray, found: np.ndarray) -> Failure:
    scores = metrics.summarize([metrics.score(found, truth)])
    pairs = count_overlaps(truth, found)
    errors = error_map(found, truth, pairs=pairs, verdicts=judge(pairs))
    where = _worst_part(errors)
    cut = [array[where] for array in (truth, found, errors)]
    return Failure(name, image[(slice(None), *where)], *cut, ap50=scores["ap"]["0.50"], mean_ap=scores["mean_ap"])


def _worst_part(errors: np.ndarray) -> tuple[slice, ...]:
    """Return the square of the image with the most pixels of mistakes, on a coarse grid."""
    starts = [range(0, max(1, length - EDGE + 1), 40) for length in errors.shape]
    parts = [(slice(y, y + EDGE), slice(x, x + EDGE)) for y in starts[0] for x in starts[1]]
    return max(parts, key=lambda part: np.count_nonzero(errors[part]))


def _draw(failures: list[Failure], target: Path) -> None:
    size = (2.6 * len(failures), 6.0)
    figure, grid = plt.subplots(2, len(failures), figsize=size, layout="constrained", squeeze=False)
    for (above, below), one in zip(grid.T, failures, strict=True):
        grey = stretch(one.image.mean(axis=0))
        ids = int(max(one.truth.max(), one.found.max())) + 1
        above.imshow(outlined(grey, one.truth, colours=np.tile(np.uint8(RIGHT), (ids, 1)), zoom=2))
        below.imshow(outlined(grey, one.found, colours=_colours(one), zoom=2))
        _fill_missed(below, one)
        above.set_title(
            f"{one.name.removesuffix('.tif')}\nAP@0.5 {one.ap50:.2f}, mean AP {one.mean_ap:.2f}", fontsize=8
        )
        for axes in (above, below):
            axes.set_axis_off()
    grid[0, 0].text(-0.02, 0.5, "truth", transform=grid[0, 0].transAxes, rotation=90, va="center", ha="right")
    grid[1, 0].text(-0.02, 0.5, "found", transform=grid[1, 0].transAxes, rotation=90, va="center", ha="right")
    names = {"right": RIGHT} | COLOURS
    patches = [mpl.patches.Patch(color=np.array(colour) / 255, label=name) for name, colour in names.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=8)
    target.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    figure.savefig(stream, dpi=90)
    Image.open(stream).convert("RGB").save(target, optimize=True)
    plt.close(figure)


def _colours(one: Failure) -> np.ndarray:
    """Return a colour for each found object: what became of it."""
    table = np.array([RIGHT, *(COLOURS[name] for name in MISTAKES)], np.uint8)
    verdict = np.zeros(int(max(one.truth.max(), one.found.max())) + 1, np.int64)
    np.maximum.at(verdict, one.found.ravel(), one.errors.ravel())
    return table[verdict]


def _fill_missed(axes: plt.Axes, one: Failure) -> None:
    """Tint what was missed where nothing was found."""
    tint = np.zeros((*one.truth.shape, 4))
    tint[(one.errors > 0) & (one.found == 0)] = (*(np.array(COLOURS["missed"]) / 255), 0.5)
    height, width = one.truth.shape
    axes.imshow(tint, extent=(-0.5, 2 * width - 0.5, 2 * height - 0.5, -0.5), interpolation="nearest")


if __name__ == "__main__":
    main()
