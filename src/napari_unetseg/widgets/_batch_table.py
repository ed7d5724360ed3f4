"""The table of a batch: one row an image, with state, objects and time."""

from __future__ import annotations

import html
from typing import Any

from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_unetseg.schema.words import duration
from napari_unetseg.widgets._batch_session import BatchSession, Row
from napari_unetseg.widgets._message import COLOURS, in_dock_words

HEAD = ("Image", "State", "Objects", "Time")
TIPS = (
    "The image file; double click shows it with its labels",
    "waiting, has result (of an earlier run), running, done, or failed; point at a failed row to read why",
    "Number of objects found",
    "How long the image took",
)
ROW_HEIGHT = 22  # px


class BatchTable(QAbstractTableModel):
    """Shows the session's rows as they are; keeps nothing of its own."""

    def __init__(self, session: BatchSession, parent: QWidget) -> None:
        super().__init__(parent)
        self._session = session
        session.listed.connect(self._on_session_listed)
        session.row_changed.connect(self._on_session_row_changed)

    def rowCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Return the number of images."""
        return 0 if parent is not None and parent.isValid() else len(self._session.rows)

    def columnCount(self, parent: QModelIndex | None = None) -> int:  # noqa: N802 - Qt's name
        """Return the number of columns."""
        return 0 if parent is not None and parent.isValid() else len(HEAD)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:  # noqa: N802
        """Return the columns' names."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        return {Qt.ItemDataRole.DisplayRole: HEAD[section], Qt.ItemDataRole.ToolTipRole: TIPS[section]}.get(role)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return a cell's text, tooltip, colour or alignment."""
        row, column = self._session.rows[index.row()], index.column()
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return texts_of(row)[column]
            case Qt.ItemDataRole.ToolTipRole:
                return tooltip_of(row)
            case Qt.ItemDataRole.ForegroundRole if column == 1 and row.state == "failed":
                return QBrush(QColor(COLOURS["error"]))
            case Qt.ItemDataRole.ForegroundRole if column == 1 and row.notes and row.state == "done":
                return QBrush(QColor(COLOURS["warning"]))
            case Qt.ItemDataRole.TextAlignmentRole if column > 1:
                return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def _on_session_listed(self) -> None:
        self.beginResetModel()
        self.endResetModel()

    def _on_session_row_changed(self, number: int) -> None:
        self.dataChanged.emit(self.index(number, 0), self.index(number, len(HEAD) - 1))


def texts_of(row: Row) -> tuple[str, str, str, str]:
    """Return what the cells of a row say."""
    objects = "" if row.objects is None else f"{row.objects:,}"
    return row.path.name, row.state, objects, "" if row.seconds is None else duration(row.seconds)


def tooltip_of(row: Row) -> str:
    """Return everything known of an image: its path, its result, what was remarked, what went wrong."""
    lines = [str(row.path)]
    if row.error:
        lines.append(f"Failed: {row.error}")
    elif row.output is not None and row.state in ("done", "has result"):
        lines.append(f"Result: {row.output}\nDouble click shows it.")
    text = in_dock_words("\n".join([*lines, *row.notes]))
    return f"<p>{html.escape(text).replace(chr(10), '<br>')}</p>"  # as markup, so that Qt wraps it


def table_view(session: BatchSession, parent: QWidget) -> QTableView:
    """Return the table as a widget."""
    view = QTableView(parent)
    view.setModel(BatchTable(session, view))
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.verticalHeader().hide()
    view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
    head = view.horizontalHeader()
    head.setMinimumSectionSize(30)
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for column, width in ((1, 72), (2, 58), (3, 56)):
        view.setColumnWidth(column, width)
    return view
