"""What every dock looks like: one column in a scroll area, sections, one primary button, progress and message below."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QEvent, QObject, QSize, Qt, QTimer
from qtpy.QtGui import QIcon, QKeySequence, QPixmap, QShortcut, QShowEvent
from qtpy.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_unetseg.widgets._message import Message
from napari_unetseg.widgets._progress import ProgressRow

LABEL = 78  # px
FILL = 1000  # share of the height that is left, against 1 of the space at the end
NARROWEST = 300  # px; napari gives a new dock about as much at 1366 x 768


class Dock(QWidget):
    """A column: what to decide (scrolls), then what always stays in sight (forecast, buttons, progress, message)."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer = viewer
        self.column = QVBoxLayout()
        self.column.setContentsMargins(6, 6, 6, 6)
        inside = QWidget()
        self._holder = QVBoxLayout(inside)
        self._holder.setContentsMargins(0, 0, 0, 0)
        self._holder.addLayout(self.column)
        self._holder.addStretch(1)
        self._area = _Area(inside)
        self.footer = QVBoxLayout()
        self.footer.setContentsMargins(6, 2, 6, 6)
        self.progress = ProgressRow()
        self.message = Message()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._area, 1)
        layout.addWidget(_line())
        layout.addLayout(self.footer)
        self.footer.addWidget(self.progress)
        self.footer.addWidget(self.message)
        self.setMinimumWidth(NARROWEST)
        self._placing = QTimer(self)
        self._placing.setSingleShot(True)
        self._placing.timeout.connect(self._join_others)
        self._is_placed = False

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        if not self._is_placed:
            self._placing.start(0)  # once napari has put the frame where it wants it

    def on_front(self, is_front: bool) -> None:
        """Do what is due when the dock comes into sight, or goes behind another tab."""

    def _join_others(self) -> None:
        """Become a tab beside another dock of ours: below each other none has the height it needs."""
        self._is_placed = True
        frame = frame_of(self)
        if frame is not None:
            frame.visibilityChanged.connect(self.on_front)
        window = None if frame is None else frame.parent()
        if frame is None or not isinstance(window, QMainWindow) or frame.isFloating():
            return
        others = [frame_of(dock) for dock in window.findChildren(Dock) if dock is not self and dock._is_placed]
        area = window.dockWidgetArea(frame)
        beside = [one for one in others if one is not None and one.isVisible() and not one.isFloating()]
        beside = [one for one in beside if window.dockWidgetArea(one) == area]
        if beside and frame not in window.tabifiedDockWidgets(beside[0]):
            window.tabifyDockWidget(beside[0], frame)
            frame.raise_()

    def add_row(self, label: str, widget: QWidget, *, tooltip: str = "") -> QLabel:
        """Add a widget with its label to the left; return the label."""
        name = QLabel(label)
        name.setMinimumWidth(LABEL)
        name.setContentsMargins(0, 4, 0, 0)  # on the line of the text in the field beside it
        for part in (name, widget):
            if tooltip:
                part.setToolTip(tooltip)
        row = QHBoxLayout()
        row.addWidget(name, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(widget, 1)
        self.column.addLayout(row)
        return name

    def add_filling(self, widget: QWidget) -> None:
        """Add a widget below the column that takes the height that is left."""
        row = QVBoxLayout()
        row.setContentsMargins(6, 0, 6, 6)
        row.addWidget(widget)
        self._holder.insertLayout(self._holder.count() - 1, row, FILL)

    def reveal(self, widget: QWidget) -> None:
        """Scroll so that a widget of the column is in sight."""
        self.layout().activate()  # a message may just have made the column lower
        self._area.ensureWidgetVisible(widget)

    def add_section(self, title: str, *widgets: QWidget) -> QCollapsible:
        """Add a section that is folded at first."""
        icon = _invisible()
        section = QCollapsible(title, expandedIcon=icon, collapsedIcon=icon)
        section.toggled.connect(lambda is_open: section.setText(f"{'▾' if is_open else '▸'}  {title}"))
        section.setDuration(0)
        section.layout().setContentsMargins(0, 0, 0, 0)
        for widget in widgets:
            section.addWidget(widget)
        section.expand(animate=False)
        section.collapse(animate=False)
        self.column.addWidget(section)
        return section

    def add_buttons(self, primary: QPushButton, *others: QPushButton) -> None:
        """Put the buttons above progress and message; the primary one stands out, and Ctrl+Enter presses it."""
        primary.setStyleSheet(PRIMARY)
        for key in ("Ctrl+Return", "Ctrl+Enter"):  # of the letters, of the digits
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(primary.click)
        row = QHBoxLayout()
        row.addWidget(primary, 2)
        for button in others:
            row.addWidget(button, 1)
        self.footer.insertLayout(self.footer.indexOf(self.progress), row)


class _Area(QScrollArea):
    """Scrolls up and down only; as wide as its content needs, with the scroll bar that may come."""

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        size = super().minimumSizeHint()
        needed = self.widget().minimumSizeHint().width() + self.verticalScrollBar().sizeHint().width()
        return QSize(max(size.width(), needed), size.height())

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def frame_of(widget: QWidget) -> QDockWidget | None:
    """Return the frame that napari has put around a docked widget."""
    parent = widget.parent()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parent()
    return parent


PRIMARY = """
QPushButton { background-color: #2a7fb8; color: white; font-weight: bold; padding: 6px; }
QPushButton:hover { background-color: #3a93cf; }
QPushButton:disabled { background-color: rgba(128, 128, 128, 50); color: rgba(128, 128, 128, 200); }
"""


def hint(text: str = "") -> QLabel:
    """Return a small wrapped label for facts below a field."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    font = label.font()
    font.setPointSizeF(max(7.0, 0.9 * font.pointSizeF()))
    label.setFont(font)
    return label


def _invisible() -> QIcon:
    """Return an icon of one clear pixel; superqt takes none, and PySide6 takes an empty one for none."""
    pixmap = QPixmap(1, 1)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)


def _line() -> QFrame:
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    return line
