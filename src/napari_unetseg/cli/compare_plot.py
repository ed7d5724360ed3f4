"""The picture of a comparison: how good each architecture is, how long it takes and how large it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from napari_unetseg.cli.plot import save_figure
from napari_unetseg.schema.words import MEASURES, significant
from napari_unetseg.tasks.compare_networks import Row

_Column = tuple[str, str, list[float | None], Callable[[float], str]]  # title, colour, values, how they are written
_LINE = 0.23
"""Height of a row, inches."""


def write_comparison(rows: Sequence[Row], *, path: Path) -> Path:
    """Draw a row of bars for each architecture, in the order given: its score, time, parameters.

    What has no score has its name and no bars.
    """
    figure = Figure(figsize=(8.6, 0.9 + _LINE * max(1, len(rows))), dpi=110, facecolor="white", layout="constrained")
    panels = figure.subplots(1, 3, sharey=True, width_ratios=(3, 2, 2))
    measure = MEASURES["AP" if all(row.foreground_iou is None for row in rows) else "IoU"]
    columns: tuple[_Column, ...] = (
        (measure, "#0072B2", [row.score for row in rows], "{:.2f}".format),
        ("milliseconds for a million pixels", "#D55E00", [row.ms_per_mpx for row in rows], significant),
        (
            "million parameters",
            "#777777",
            [row.parameters / 10**6 or None for row in rows],
            partial(significant, digits=2),
        ),
    )
    places = range(len(rows))
    for axes, (title, colour, values, text_of) in zip(panels, columns, strict=True):
        bars = axes.barh(places, [value or 0.0 for value in values], height=0.7, color=colour)
        texts = ["" if value is None else text_of(value) for value in values]
        axes.bar_label(bars, texts, padding=3, fontsize=8)
        axes.set_title(title, fontsize=9, loc="left")
        axes.margins(x=0.2)
        axes.tick_params(left=False, bottom=False, labelbottom=False)
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    panels[0].set_xlim(0, 1.1)
    panels[0].set_yticks(places, [row.network for row in rows], fontsize=9)
    panels[0].set_ylim(max(1, len(rows)) - 0.5, -0.5)
    return save_figure(figure, path)
