"""The picture of scores of classes: a bar for each, with name and value."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from napari_unetseg.cli import class_plot as module
from napari_unetseg.cli.class_plot import BACKGROUND, CLASS, write_class_plot


def test_each_class_has_a_bar_of_its_iou_and_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second class occurs nowhere, and the third has no name."""
    drawn: list[Figure] = []
    monkeypatch.setattr(module, "save_figure", lambda figure, path: drawn.append(figure) or path)
    scores = {"iou": [0.9, 0.75, None, 0.25], "foreground_iou": 0.5}
    path = tmp_path / "p.png"
    assert write_class_plot(scores, path=path, names=("background", "nucleus", "dividing")) == path
    (axes,) = drawn[0].axes
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.75, 0.0, 0.25]
    assert [tuple(bar.get_facecolor()) for bar in axes.patches] == [to_rgba(BACKGROUND), *[to_rgba(CLASS)] * 3]
    assert [text.get_text() for text in axes.texts] == ["0.900", "0.750", "-", "0.250"]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "class 0 (background)",
        "class 1 (nucleus)",
        "class 2 (dividing)",
        "class 3",
    ]
    assert axes.get_title(loc="left") == "mean IoU, without background: 0.500"
    assert axes.yaxis_inverted()  # the background is at the top
