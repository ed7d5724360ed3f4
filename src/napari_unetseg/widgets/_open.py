"""Opening what comes next: another dock behind this one as a tab, or napari's table of features below the canvas."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

TABLE_HEIGHT = 260  # px


def open_dock(viewer: Any, name: str) -> Any:
    """Open our dock of that name, or bring it to the front, and return its widget."""
    opened, widget = viewer.window.add_plugin_dock_widget("napari-unetseg", name, tabify=True)
    opened.show()
    opened.raise_()
    return widget


def open_table(viewer: Any, layer: Layer) -> None:
    """Show the features of a layer in napari's table, below the canvas: a row is wide, and the docks stay in sight."""
    viewer.layers.selection.active = layer
    before = set(viewer.window.dock_widgets)
    opened, _widget = viewer.window.add_plugin_dock_widget("napari", "Features table widget")
    window = opened.parent()
    if opened.name not in before and isinstance(window, QMainWindow):
        window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, opened)
        window.resizeDocks([opened], [TABLE_HEIGHT], Qt.Orientation.Vertical)
    opened.show()
    opened.raise_()
