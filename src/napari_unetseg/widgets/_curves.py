"""Two small plots of a training run: the loss, and the average precision."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QGridLayout, QLabel, QWidget

from napari_unetseg.schema.words import duration
from napari_unetseg.tasks.history import History

LOSS, SCORE = "#e69f00", "#56b4e9"  # Okabe and Ito: told apart by colour-blind people, on dark and on light
HEIGHT = 110
MINUTE = 60


class Curves(QWidget):
    """Loss on the left, AP at IoU 0.5 on the right, both over the minutes trained; made when there is one to draw."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._curves: list[Any] = []
        self.plots: list[Any] = []
        self.loss_title, self.score_title = QLabel("Loss"), QLabel("AP")
        self.loss_title.setToolTip("Mean weighted loss of the last twenty steps or so; lower is better")
        self.score_title.setToolTip(
            "Average precision at IoU 0.5: found / (found + missed + invented); of classes the mean IoU, without "
            "background; 1 is perfect"
        )
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(2)
        for column, title in enumerate([self.loss_title, self.score_title]):
            title.setMinimumWidth(1)
            self._grid.addWidget(title, 0, column)
            self._grid.setColumnStretch(column, 1)

    def show_history(self, history: History) -> None:
        """Draw the curves as they are now."""
        if not self.plots:
            if not history.losses:
                return
            self._make_plots()
        loss, score = self._curves
        loss.setData([second / MINUTE for second in history.loss_seconds], history.losses)
        score.setData([second / MINUTE for second in history.score_seconds], history.scores)
        for plot in self.plots:
            plot.setXRange(0, (history.seconds_planned or MINUTE) / MINUTE, padding=0.02)
        self.loss_title.setText(f"Loss {history.losses[-1]:.3f}" if history.losses else "Loss")
        self.score_title.setText(score_words(history))

    def set_theme(self, _event: Any = None) -> None:
        """Take background and letters from napari's theme."""
        from napari.utils.theme import get_theme

        theme = get_theme(self._viewer.theme)
        text = theme.text.as_hex()
        for plot in self.plots:
            plot.setBackground(theme.background.as_hex())
            for name in ("left", "bottom"):
                axis = plot.getAxis(name)
                axis.setTextPen(text)
                axis.setPen(theme.secondary.as_hex())

    def _make_plots(self) -> None:
        import pyqtgraph

        for column, colour in enumerate([LOSS, SCORE]):
            plot = pyqtgraph.PlotWidget()
            self._grid.addWidget(plot, 1, column)
            plot.setFixedHeight(HEIGHT)
            plot.setMinimumWidth(100)
            plot.setMenuEnabled(False)
            plot.setMouseEnabled(x=False, y=False)
            plot.hideButtons()
            plot.setLimits(xMin=0)
            plot.getAxis("left").setWidth(34)
            plot.getAxis("bottom").setHeight(18)
            plot.getAxis("bottom").setTickDensity(0.5)
            plot.setToolTip("Over the minutes trained")
            symbol = {"symbol": "o", "symbolSize": 5, "symbolBrush": colour, "symbolPen": None} if column else {}
            self._curves.append(plot.plot(pen=pyqtgraph.mkPen(colour, width=2), **symbol))
            self.plots.append(plot)
        self.plots[1].setYRange(0, 1, padding=0.08)
        self.set_theme()
        self._viewer.events.theme.connect(self.set_theme)


def score_words(history: History) -> str:
    """Say how good the model is, and on what."""
    if history.kept is None:
        return f"{history.measure}: no score yet"
    value, second = history.kept
    if history.on_training:
        return f"{history.measure} {value:.2f} (training cells)"
    return f"kept: {history.measure} {value:.2f} at {duration(second)}"
