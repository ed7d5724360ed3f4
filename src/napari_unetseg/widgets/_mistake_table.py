"""The table of mistakes: one row per object that is missed, invented, merged or split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

HEIGHT = 116  # px
ROW = 22  # px
HEADINGS = {
    "verdict": "mistake",
    "map": "in",
    "label": "object",
    "partner": "with",
    "iou": "IoU",
}


class MistakeTable(QTableView):
    """`chosen` carries the row (a mapping) that was double clicked."""

    chosen = Signal(object)

    def __init__(self, colours: dict[str, str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(colours, self)
        self.setModel(self._model)
        self.setFixedHeight(HEIGHT)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSortingEnabled(True)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(ROW)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.horizontalHeader().setResizeContentsPrecision(50)
        self.horizontalHeader().setStretchLastSection(True)
        self.horizontalHeader().setSortIndicatorShown(False)
        self.setToolTip("Double click on a row to go there; click on a heading to sort")
        self.doubleClicked.connect(lambda index: self.chosen.emit(self._model.row(index.row())))

    def show_table(self, table: pd.DataFrame) -> None:
        """Show the rows of a comparison's table that are mistakes."""
        self._model.set_table(table[table["verdict"] != "matched"].reset_index(drop=True))


class _Model(QAbstractTableModel):
    """A view on a data frame; cells are turned to text only where they are looked at."""

    def __init__(self, colours: dict[str, str], parent: QWidget) -> None:
        super().__init__(parent)
        self._colours = {name: QColor(colour) for name, colour in colours.items()}
        self._table = pd.DataFrame()
        self._columns: list[str] = []

    def set_table(self, table: pd.DataFrame) -> None:
        self.beginResetModel()
        self._table = table
        self._columns = [name for name in ("t", *HEADINGS) if name in table]
        self.endResetModel()

    def row(self, row: int) -> dict[Any, Any]:
        found: dict[Any, Any] = self._table.iloc[row].to_dict()
        return found

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802  (Qt's name)
        return 0 if parent is not None and parent.isValid() else len(self._table)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802  (Qt's name)
        return 0 if parent is not None and parent.isValid() else len(self._columns)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = self._table.iloc[index.row()][self._columns[index.column()]]
        if role == Qt.ItemDataRole.DisplayRole:
            return f"{value:.2f}" if isinstance(value, float | np.floating) else str(value)
        if role == Qt.ItemDataRole.DecorationRole and self._columns[index.column()] == "verdict":
            return self._colours.get(str(value))
        return None

    def headerData(  # noqa: N802  (Qt's name)
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return HEADINGS.get(self._columns[section], self._columns[section])
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(self._columns):
            ascending = order == Qt.SortOrder.AscendingOrder
            self.layoutAboutToBeChanged.emit()
            self._table = self._table.sort_values(self._columns[column], ascending=ascending, kind="stable")
            self.layoutChanged.emit()
