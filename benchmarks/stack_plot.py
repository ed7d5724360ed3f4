"""Draw time and memory of stacks against their size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

GIB = 2**30


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Write a picture of the rows, a line for each model, memory and format."""
    figure, (times, memories) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    series: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["GiB"]):
        series.setdefault((row["model"], row["memory (GiB)"], row["format"], row["edge"]), []).append(row)
    for number, ((model, memory, name, edge), found) in enumerate(series.items()):
        sizes, colour = [row["GiB"] for row in found], f"C{number}"
        label = f"{model}, planes of {edge} x {edge} onto {name}, within {memory:g} GiB"
        minutes = [row["seconds"] / 60 for row in found]
        times.plot(sizes, minutes, "o-", color=colour, label=label)
        slope = sum(minutes) / sum(sizes)
        times.plot([0, sizes[-1]], [0, slope * sizes[-1]], ":", color=colour)
        memories.plot(sizes, [row["over idle (GiB)"] for row in found], "o-", color=colour, label="over idle")
        memories.plot([0, sizes[-1]], [memory, memory], "--", color=colour, label="allowed")
    for axes, title in ((times, "time (minutes); dotted: in proportion"), (memories, "most memory (GiB)")):
        axes.set(xlabel="size of the stack (GiB)", title=title, xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)
    plt.close(figure)
