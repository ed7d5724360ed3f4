"""What an evaluation of classes shows: a table with a row for each score."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem, QWidget

from napari_unetseg.schema.words import decimal
from napari_unetseg.tasks.class_scores import NamedScore

ROW = 22  # px
MOST_ROWS = 16  # in sight; more are scrolled
HEADINGS = ["score", "value"]


class ClassScores(QTableWidget):
    """As high as its rows, up to `MOST_ROWS`; the tooltip of a row says what the score means."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(HEADINGS), parent)
        self.setHorizontalHeaderLabels(HEADINGS)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)

    def show_scores(self, scores: Sequence[NamedScore]) -> None:
        """Show these scores in the place of others."""
        self.setRowCount(len(scores))
        for row, score in enumerate(scores):
            name = QTableWidgetItem(score.name)
            value = QTableWidgetItem("–" if score.value is None else decimal(score.value))
            value.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            for column, item in enumerate((name, value)):
                item.setToolTip(score.meaning)
                self.setItem(row, column, item)
        heading = self.horizontalHeader().sizeHint().height()
        self.setFixedHeight(heading + ROW * min(len(scores), MOST_ROWS) + 2 * self.frameWidth())
