"""The manifest as napari uses it: what it offers opens, and opens without waiting for torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MANIFEST = Path(__file__).parents[2] / "napari.yaml"
OPEN_ALL = """
import sys
from napari.components import ViewerModel
from npe2 import PluginManager, PluginManifest
from qtpy.QtWidgets import QApplication
application = QApplication([])
manager = PluginManager.instance()
manifest = PluginManifest.from_file(sys.argv[1])
manager.register(manifest)
docks = [item.get_callable()(ViewerModel()) for item in manifest.contributions.widgets]
for sample in manifest.contributions.sample_data:
    viewer = ViewerModel()
    for data, options, kind in manager.commands.execute(sample.command):
        getattr(viewer, f"add_{kind}")(data, **options)
    assert [layer.visible for layer in viewer.layers] == [True, False]
application.processEvents()
print(len(docks), "torch" in sys.modules)
"""


@pytest.mark.napari
def test_docks_and_samples_open_without_torch(tmp_path) -> None:
    """Offline too: a proxy that is not there is where any request would go."""
    environment = os.environ | {
        "QT_QPA_PLATFORM": "offscreen",
        "NAPARI_CONFIG": str(tmp_path / "napari.yaml"),
        "http_proxy": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }
    command = [sys.executable, "-c", OPEN_ALL, str(MANIFEST)]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (found.returncode, found.stdout.strip()) == (0, "5 False"), found.stderr
