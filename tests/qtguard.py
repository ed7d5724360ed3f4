"""Let the tests run on a machine without napari, Qt or its system libraries: GUI tests are then left out.

Loaded with `-p tests.qtguard`, so before pytest-qt and napari's own pytest plugin, which abort the whole run there.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import sys

PACKAGES = ("napari", "qtpy", "pytestqt")
LIBRARIES = ("EGL", "GL", "glib-2.0", "fontconfig", "dbus-1", "xkbcommon")  # of Debian's libegl1, libgl1, ...


def _missing() -> str:
    packages = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if packages:
        return f"without {', '.join(packages)}"
    if sys.platform == "linux":
        libraries = [name for name in LIBRARIES if ctypes.util.find_library(name) is None]
        if libraries:
            return f"without the system libraries {', '.join(libraries)}"
    return ""


MISSING = _missing()
"""Why no window can be opened; empty where one can."""


def pytest_addhooks(pluginmanager):
    if MISSING:
        for name in ("pytest-qt", "napari"):
            pluginmanager.set_blocked(name)
    elif sys.platform == "linux" and not os.environ.get("DISPLAY"):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def pytest_report_header():
    return f"GUI tests left out: {MISSING}" if MISSING else None
