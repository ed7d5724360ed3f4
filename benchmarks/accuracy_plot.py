"""Draw what variants of the recipe score."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a picture with a panel for each data set and budget: AP@0.5 and mean AP of every variant."""

    def panel_of(row: dict[str, Any]) -> tuple[str, ...]:
        return row["data"], row["images"], row["cells"], row["budget"], row["start"]

    panels = [(key, list(found)) for key, found in itertools.groupby(rows, key=panel_of)]
    height = 1.4 + 0.28 * max(len(found) for _, found in panels)
    figure, grid = plt.subplots(1, len(panels), figsize=(5 * len(panels), height), layout="constrained", squeeze=False)
    for axes, ((data, images, cells, budget, start), found) in zip(grid[0], panels, strict=True):
        found.sort(key=lambda row: row["AP@0.5"])
        places = range(len(found))
        axes.barh(places, [row["AP@0.5"] for row in found], xerr=[row["sd of AP@0.5"] or 0 for row in found], alpha=0.5)
        axes.plot([row["mean AP"] for row in found], places, "k.", label="mean AP 0.5..0.9")
        axes.set_yticks(places, [row["variant"] for row in found], fontsize="small")
        axes.set(
            title=f"{data},\n{images} images, {cells} cells, {budget}{', from ' * bool(start)}{start}",
            xlabel="AP@0.5",
            xlim=(0, 1),
        )
        axes.grid(axis="x", alpha=0.3)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), fontsize="small", loc="outside lower center")
    figure.savefig(path, dpi=110)
    plt.close(figure)
