"""The curve of average precision over IoU thresholds, in the colours of napari's theme."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy.QtWidgets import QVBoxLayout, QWidget

HEIGHT = 112  # px
LINES = {"dark": "#56b4e9", "light": "#0072b2"}  # blues that everybody tells from the background


class ApCurve(QWidget):
    """Shows AP at each IoU threshold from 0.5 to 0.9; `show_scores` takes what `metrics.summarize` calls `ap`."""

    def __init__(self, viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.plot = pg.PlotWidget()
        self.plot.setFixedHeight(HEIGHT)
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setYRange(-0.04, 1.08, padding=0)
        self.plot.setXRange(0.47, 0.93, padding=0)
        self.plot.setLabel("bottom", "IoU threshold")
        self.plot.setLabel("left", "AP")
        self.plot.showGrid(y=True, alpha=0.2)
        self.plot.getAxis("bottom").setTicks([[(tenth / 10, f"{tenth / 10}") for tenth in range(5, 10)]])
        self.plot.getAxis("left").setTicks([[(fifth / 5, f"{fifth / 5}") for fifth in range(6)]])
        for side in ("bottom", "left"):
            self.plot.getAxis(side).enableAutoSIPrefix(False)
        self.setToolTip(
            "AP = found / (found + missed + invented). At 0.5 an object must overlap its true one by half; "
            "at 0.9 its outline must be almost exact"
        )
        self._curve = self.plot.plot([], [], symbol="o", symbolSize=6)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        viewer.events.theme.connect(self.follow_theme)
        self.follow_theme()

    def show_scores(self, ap: Mapping[str, float | None]) -> None:
        """Draw the curve."""
        points = [(float(threshold), value) for threshold, value in ap.items() if value is not None]
        self._curve.setData([x for x, _ in points], [y for _, y in points])

    def follow_theme(self, _event: Any = None) -> None:
        """Take over the colours of the viewer's theme."""
        theme = get_theme(self._viewer.theme)
        text = theme.text.as_hex()
        self.plot.setBackground(theme.background.as_hex())
        for side in ("bottom", "left"):
            axis = self.plot.getAxis(side)
            axis.setPen(text)
            axis.setTextPen(text)
        line = LINES["light" if theme.type == "light" else "dark"]
        self._curve.setPen(pg.mkPen(line, width=2))
        self._curve.setSymbolPen(line)
        self._curve.setSymbolBrush(line)
