"""The picture of scores of classes: the IoU of each, and their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from napari_unetseg.cli.plot import save_figure
from napari_unetseg.schema.words import FOREGROUND_IOU
from napari_unetseg.tasks.class_scores import classes_called

_LINE = 0.3
"""Height of a bar, inches."""
BACKGROUND, CLASS = "#777777", "#0072B2"


def write_class_plot(scores: Mapping[str, Any], *, path: Path, names: Sequence[str] = ()) -> Path:
    """Draw a bar for the IoU of each class, the background in grey, which the mean in the title leaves out.

    `names` are those of the classes, the background first. A class that no pixel has has its name and no bar.
    """
    values = scores["iou"]
    figure = Figure(figsize=(6.4, 0.9 + _LINE * max(1, len(values))), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots()
    places = range(len(values))
    colours = [CLASS if number else BACKGROUND for number in places]
    bars = axes.barh(places, [value or 0.0 for value in values], height=0.7, color=colours)
    axes.bar_label(bars, ["-" if value is None else f"{value:.3f}" for value in values], padding=3, fontsize=9)
    axes.set_yticks(places, classes_called(len(values), names=names), fontsize=9)
    axes.set_xlim(0, 1.1)
    axes.set_ylim(max(1, len(values)) - 0.5, -0.5)
    axes.set_title(f"{FOREGROUND_IOU}: {scores['foreground_iou']:.3f}", fontsize=10, loc="left")
    axes.set_xlabel("IoU", fontsize=9)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    axes.tick_params(left=False, labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)
