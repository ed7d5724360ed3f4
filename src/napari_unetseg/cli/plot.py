"""Pictures: outlines over an image with magnified details, and scores against the IoU threshold."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from napari_unetseg.images.write import write_bytes
from napari_unetseg.labels.outlines import distinct_colours, outlined, stretch
from napari_unetseg.schema.words import counted

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DETAILS = 3
_INK = "#222222"


def write_outline_picture(image: np.ndarray, labels: np.ndarray, *, path: Path, title: str) -> Path:
    """Draw `image` (Y, X) with the outlines of `labels`; beside it three crowded places, raw and outlined."""
    windows = choose_windows(labels, count=DETAILS, size=max(16, min(labels.shape) // 6))
    grey, colours = stretch(image), distinct_colours(labels)
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03, wspace=0.01, hspace=0.01)
    figure = Figure(figsize=(12.4, 7.9), dpi=110, facecolor="white", layout=layout)
    grid = figure.add_gridspec(DETAILS, 5)
    whole = figure.add_subplot(grid[:, :3])
    _show(whole, outlined(grey, labels, colours=colours, zoom=max(1, 1400 // max(labels.shape))), extent=labels.shape)
    for row, (name, window) in enumerate(zip("abc", windows, strict=False)):
        _mark(whole, window, name=name)
        zoom = max(1, 480 // (window[0].stop - window[0].start))
        empty = np.zeros_like(labels[window])
        for column, part, word in ((3, empty, "image"), (4, labels[window], "outlined")):
            axes = figure.add_subplot(grid[row, column])
            _show(axes, outlined(grey[window], part, colours=colours, zoom=zoom), extent=part.shape)
            _caption(axes, name if column == 3 else "")
            if row == 0:
                axes.set_title(word, fontsize=11, color=_INK)
    figure.suptitle(title, fontsize=13, color=_INK, x=0.003, ha="left")
    return save_figure(figure, path)


def choose_windows(labels: np.ndarray, *, count: int, size: int) -> list[tuple[slice, slice]]:
    """Return up to `count` square windows of `size`, apart from each other: the places with the most objects."""
    height, width = labels.shape
    size = min(size, height, width)
    starts = [
        (y, x)
        for y in range(0, height - size + 1, max(1, size // 4))
        for x in range(0, width - size + 1, max(1, size // 4))
    ]
    crowd = {start: len(np.unique(labels[start[0] : start[0] + size, start[1] : start[1] + size])) for start in starts}
    chosen: list[tuple[int, int]] = []
    for start in sorted(starts, key=lambda item: -crowd[item]):
        if all(max(abs(start[0] - y), abs(start[1] - x)) >= 1.25 * size for y, x in chosen):
            chosen.append(start)
        if len(chosen) == count:
            break
    return [(slice(y, y + size), slice(x, x + size)) for y, x in sorted(chosen)]


def write_score_plot(scores: dict[str, Any], *, path: Path) -> Path:
    """Draw AP against the IoU threshold and, for several images, how they spread."""
    images = scores.get("per_image", ())
    panels = 2 if len(images) > 1 else 1
    figure = Figure(figsize=(4.6 * panels, 3.8), dpi=110, facecolor="white", layout="constrained")
    left, *others = figure.subplots(1, panels, squeeze=False)[0]
    thresholds = [float(key) for key in scores["ap"]]
    values = [np.nan if value is None else float(value) for value in scores["ap"].values()]
    left.plot(thresholds, values, color="#0072B2", marker="o", linewidth=2)
    left.set(
        xlabel="IoU threshold",
        ylabel="average precision",
        ylim=(0, 1.02),
        title=f"mean AP {_number(scores.get('mean_ap'))}",
    )
    for axes in others:
        _histogram(axes, [entry["mean_ap"] for entry in images])
    for axes in (left, *others):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#dddddd", linewidth=0.8)
        axes.set_axisbelow(True)
    return save_figure(figure, path)


def _histogram(axes: Axes, values: Sequence[float | None]) -> None:
    known = [value for value in values if value is not None and np.isfinite(value)]
    axes.hist(known, bins=[step / 20 for step in range(21)], color="#E69F00", edgecolor="white")
    axes.set(xlabel="mean AP of an image", ylabel="images", xlim=(0, 1), title=counted(len(known), "image"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _number(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.3f}"


def _show(axes: Axes, picture: np.ndarray, *, extent: tuple[int, ...]) -> None:
    height, width = extent
    axes.imshow(picture, extent=(0, width, height, 0), interpolation="antialiased")
    axes.set_axis_off()


def _mark(axes: Axes, window: tuple[slice, slice], *, name: str) -> None:
    rows, columns = window
    side = rows.stop - rows.start
    axes.add_patch(Rectangle((columns.start, rows.start), side, side, fill=False, edgecolor="white", linewidth=1.4))
    axes.text(
        columns.start + side * 0.04,
        rows.start + side * 0.04,
        name,
        color="white",
        fontsize=13,
        fontweight="bold",
        va="top",
    )


def _caption(axes: Axes, name: str) -> None:
    axes.text(0.03, 0.97, name, transform=axes.transAxes, color="white", fontsize=14, fontweight="bold", va="top")


def save_figure(figure: Figure, path: Path) -> Path:
    """Write the figure as PNG, in one step."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    write_bytes(path, buffer.getvalue())
    return path
