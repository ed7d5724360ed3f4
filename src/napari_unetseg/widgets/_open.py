"""Opening what comes next: another dock behind this one as a tab, or napari's table of features below the canvas."""

from __future__ import annotations

from typing import Any

from napari.layers import Layer
from npe2 import PluginManager
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMainWindow

from napari_unetseg.widgets._dock import Dock, frame_of

PLUGIN = "napari-unetseg"
TABLE_HEIGHT = 260  # px


def open_dock(viewer: Any, name: str) -> Any:
    """Open our dock with that name in the manifest, or bring it to the front, and return its widget."""
    widget = _find_dock(viewer, name) or _new_dock(viewer, name)
    frame = frame_of(widget)
    if frame is not None:
        frame.show()
        frame.raise_()
    return widget


def _find_dock(viewer: Any, name: str) -> Dock | None:
    """Return the dock that is open: napari's menu and its Python interface give it different titles."""
    for title, widget in viewer.window.dock_widgets.items():
        if isinstance(widget, Dock) and title.partition(" (")[0] == name:
            return widget
    return None


def _new_dock(viewer: Any, name: str) -> Dock:
    """Add the dock under the title that napari's menu looks for."""
    plugins = PluginManager.instance()
    entry = next(one for one in plugins.iter_widgets() if (one.plugin_name, one.display_name) == (PLUGIN, name))
    widget = entry.get_callable()(viewer)
    title = f"{name} ({plugins.get_manifest(PLUGIN).display_name})"
    viewer.window.add_dock_widget(widget, name=title, tabify=True)
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
