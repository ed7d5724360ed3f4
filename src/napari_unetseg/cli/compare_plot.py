"""The picture of a comparison: how good each architecture is, against how long it takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from napari_unetseg.cli.plot import save_figure
from napari_unetseg.tasks.compare_networks import Row

_TICKS = [factor * 10**power for power in range(-1, 6) for factor in (1, 2, 5)]


def write_comparison(rows: Sequence[Row], *, path: Path) -> Path:
    """Draw AP at IoU 0.5 against the time of a million pixels; the area of a dot is the number of parameters."""
    figure = Figure(figsize=(7.6, 5.0), dpi=110, facecolor="white", layout="constrained")
    axes = figure.subplots()
    drawn = [row for row in rows if row.ap50 is not None and row.ms_per_mpx is not None]
    most = max((row.parameters for row in drawn), default=1)
    for row in drawn:
        assert row.ms_per_mpx is not None
        assert row.ap50 is not None
        axes.scatter(row.ms_per_mpx, row.ap50, s=25 + 900 * row.parameters / most, alpha=0.45, color="#0072B2")
        axes.annotate(row.network, (row.ms_per_mpx, row.ap50), xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xticks([tick for tick in _TICKS if _is_near(tick, drawn)])
    axes.margins(x=0.2)  # room for names
    axes.set(xlabel="milliseconds for a million pixels", ylabel="AP at IoU 0.5", ylim=(0, 1))
    axes.set_title("area: number of parameters", fontsize=9, loc="right")
    axes.grid(color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return save_figure(figure, path)


def _is_near(tick: float, rows: Sequence[Row]) -> bool:
    """Tell whether a tick lies within what is drawn, or not far beyond."""
    times = [row.ms_per_mpx for row in rows if row.ms_per_mpx is not None]
    return bool(times) and min(times) / 2 <= tick <= 2 * max(times)
