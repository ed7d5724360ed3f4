"""A row that tells how far a job is: bar, share, time left."""

from __future__ import annotations

import time

from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_unetseg.schema.words import duration

STEPS = 1000


class ProgressRow(QWidget):
    """Hidden until `start`; `show_fraction` estimates the time left from the pace since then."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.text = QLabel()
        self.text.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.bar)
        layout.addWidget(self.text)
        self._began = time.monotonic()
        self.setVisible(False)

    def start(self, text: str = "starting…", *, began: float | None = None) -> None:
        """Show an empty bar that moves until the first fraction is known.

        `began` is the `time.monotonic()` of the start, for a dock opened while a job runs; none: now.
        """
        self._began = time.monotonic() if began is None else began
        self.bar.setRange(0, 0)
        self.bar.setVisible(True)
        self.text.setText(text)
        self.setVisible(True)

    def show_fraction(self, fraction: float, *, detail: str = "", left: float | None = None) -> None:
        """Show that `fraction` of the work is done; `left` are the seconds to go, none: at the pace so far."""
        self.bar.setRange(0, STEPS)
        self.bar.setValue(round(STEPS * fraction))
        parts = [f"{100 * fraction:.0f} %"]
        if 0 < fraction < 1:
            elapsed = time.monotonic() - self._began
            parts.append(f"{duration(round(elapsed / fraction * (1 - fraction) if left is None else left))} left")
        self.text.setText(" · ".join([*parts, detail] if detail else parts))
        self.bar.setVisible(True)
        self.setVisible(True)

    def stop(self, text: str = "") -> None:
        """Show the last word, or nothing."""
        self.bar.setRange(0, STEPS)
        self.bar.setVisible(False)
        self.text.setText(text)
        self.setVisible(bool(text))
