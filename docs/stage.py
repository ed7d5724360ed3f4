"""A napari window to act in and to take pictures of, for docs/screenshots.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

PLUGIN = "napari-unetseg"
WINDOW = (1366, 768)
STATUS = 26  # px; the line at the bottom of the window
DOCK = 370  # px
LARGEST = 195_000  # bytes of a picture


class Stage:
    """A window with at most one dock of the plugin; `shots` are the pictures taken so far."""

    def __init__(self, folder: Path) -> None:
        import napari
        from napari.settings import get_settings

        get_settings().appearance.theme = "dark"
        get_settings().application.confirm_close_window = False
        get_settings().application.gui_notification_level = "warning"  # hints would lie over the picture
        self.folder = folder
        self.shots: dict[str, Image.Image] = {}
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(*WINDOW)
        self.window = self.viewer.window._qt_window
        self.frame: Any = None
        self.rest()

    @property
    def layers(self) -> Any:
        """The viewer's layers."""
        return self.viewer.layers

    def rest(self, seconds: float = 0.6) -> None:
        """Let the window draw and answer."""
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QApplication.processEvents()
            time.sleep(0.01)

    def wait(self, until: Callable[[], Any], *, minutes: float = 20) -> None:
        """Wait for something to become true."""
        end = time.monotonic() + 60 * minutes
        while not until():
            if time.monotonic() > end:
                raise TimeoutError(until)
            self.rest(0.05)

    def work(self, job: Any) -> None:
        """Wait for the end of a job."""
        self.wait(lambda: not job.is_running)
        self.rest()

    def open(self, name: str) -> Any:
        """Open a dock in the place of another."""
        self.close()
        self.viewer.window.add_plugin_dock_widget(PLUGIN, name)
        return self.take(name)

    def close(self) -> None:
        """Close the docks."""
        self.viewer.window.remove_dock_widget("all")
        self.frame = None

    def take(self, name: str) -> Any:
        """Give an open dock its width, and close those it lies in front of."""
        from qtpy.QtCore import Qt

        docks = self.viewer.window._wrapped_dock_widgets
        self.frame = next(dock for title, dock in docks.items() if title.startswith(name))
        for dock in [one for one in docks.values() if one is not self.frame]:
            self.viewer.window.remove_dock_widget(dock)
        self.window.resizeDocks([self.frame], [DOCK], Qt.Orientation.Horizontal)
        self.rest()
        return self.frame.inner_widget()

    def sample(self, name: str, *, plane: int) -> None:
        """Open a sample in an empty viewer, as File > Open Sample does."""
        self.close()
        self.layers.clear()
        self.viewer.open_sample(PLUGIN, name)
        self.go_to(plane)

    def go_to(self, plane: int) -> None:
        """Show a plane of a stack, all of it."""
        self.viewer.dims.set_point(0, plane * self.layers[0].scale[0])
        self.viewer.reset_view()
        self.rest()

    def show(self, *names: str) -> None:
        """Show these layers and hide the others."""
        for layer in self.layers:
            layer.visible = layer.name in names
        self.rest()

    def shoot(self, name: str, *, of: str = "window") -> None:
        """Write the picture of the window, or of its dock alone."""
        self.rest()
        picture = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False)[..., :3])
        self.shots[name] = picture
        save(dock_in(picture, width=self.frame.width()) if of == "dock" else picture, self.folder / name)


def dock_in(window: Image.Image, *, width: int = DOCK) -> Image.Image:
    """Return the dock at the right of a window."""
    return window.crop((window.width - width - 6, STATUS - 4, window.width, window.height - STATUS))


def save(picture: Image.Image, path: Path, *, largest: int = LARGEST) -> None:
    """Write a small PNG: with as many colours as fit."""
    for colours in (256, 128, 64):
        picture.quantize(colours, kmeans=4, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size < largest:
            break
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB", flush=True)
