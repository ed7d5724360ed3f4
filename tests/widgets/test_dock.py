"""Every dock is a column with a footer, fits a small screen, and opens without torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QLineEdit, QPushButton, QScrollArea

from napari_unetseg.widgets._dock import NARROWEST, Dock, hint
from napari_unetseg.widgets._open import open_dock

DOCKS = ("segment:SegmentDock", "train:TrainDock", "review:ReviewDock", "batch:BatchDock", "evaluate:EvaluateDock")
OPEN = """
import importlib, sys, time
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
application = QApplication([])
for place in sys.argv[1:]:
    module, name = place.split(":")
    dock = getattr(importlib.import_module(f"napari_unetseg.widgets.{module}"), name)(ViewerModel())
    dock.show()
    for _ in range(20):
        application.processEvents()
        time.sleep(0.01)
    print(name, "torch" in sys.modules, dock.minimumSizeHint().width())
    dock.close()
"""


@pytest.fixture
def dock(qtbot) -> Dock:
    dock = Dock(ViewerModel())
    qtbot.addWidget(dock)
    return dock


def test_a_long_column_scrolls_and_the_footer_stays(dock) -> None:
    for number in range(60):
        dock.add_row(f"row {number}", QLineEdit())
    primary = QPushButton("Go")
    dock.add_buttons(primary, QPushButton("Cancel"))
    dock.resize(NARROWEST, 500)
    dock.show()
    area = dock.findChild(QScrollArea)
    assert area.verticalScrollBar().maximum() > 0
    assert primary.mapTo(dock, primary.rect().bottomRight()).y() < 500
    assert primary.width() > dock.width() / 2


def test_ctrl_enter_presses_the_primary_button(dock, qtbot) -> None:
    primary, pressed, field = QPushButton("Go"), [], QLineEdit()
    primary.clicked.connect(lambda: pressed.append(True))
    dock.add_row("name", field)
    dock.add_buttons(primary)
    dock.show()
    qtbot.waitExposed(dock)
    dock.activateWindow()
    qtbot.waitUntil(dock.isActiveWindow, timeout=5000)
    field.setFocus()
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert pressed == [True]
    primary.setEnabled(False)
    qtbot.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert pressed == [True]


def test_a_section_is_folded_and_says_so(dock) -> None:
    inside = QLabel("inside")
    section = dock.add_section("Advanced", inside)
    assert not section.isExpanded()
    assert section.text() == "▸  Advanced"
    section.expand(animate=False)
    assert section.text() == "▾  Advanced"


def test_a_tooltip_is_on_label_and_field(dock) -> None:
    field = QLineEdit()
    label = dock.add_row("Axes", field, tooltip="letters")
    assert label.toolTip() == field.toolTip() == "letters"
    assert hint("a fact").wordWrap()


def test_opening_a_dock_loads_no_torch_and_fits_beside_the_canvas() -> None:
    """E19: the import of torch takes seconds; 340 px is what a dock gets at 1366 x 768."""
    opened = subprocess.run([sys.executable, "-c", OPEN, *DOCKS], capture_output=True, text=True, check=False)
    assert opened.returncode == 0, opened.stderr
    lines = [line.split() for line in opened.stdout.splitlines()]
    assert [(name, has_torch) for name, has_torch, _ in lines] == [(dock.split(":")[1], "False") for dock in DOCKS]
    assert max(int(width) for _, _, width in lines) <= 340, opened.stdout


def test_napari_opens_every_dock_of_the_manifest(make_napari_viewer) -> None:
    """It hands over its viewer only where the annotation is spelt as it expects."""
    viewer = make_napari_viewer()
    for name in DOCKS:
        opened, dock = viewer.window.add_plugin_dock_widget("napari-unetseg", name.split(":")[0].capitalize())
        assert type(dock).__name__ == name.split(":")[1]
        assert opened.isVisible() == viewer.window._qt_window.isVisible()


def test_a_dock_is_opened_once_whatever_title_it_was_opened_under(make_napari_viewer) -> None:
    viewer = make_napari_viewer()
    _, train = viewer.window.add_plugin_dock_widget("napari-unetseg", "Train")
    assert open_dock(viewer, "Train") is train
    segment = open_dock(viewer, "Segment")
    assert open_dock(viewer, "Segment") is segment
    assert list(viewer.window.dock_widgets) == ["Train (napari-unetseg)", "Segment (U-Net segmentation)"]


@pytest.mark.screen
def test_docks_opened_from_the_menu_become_tabs_of_one_place(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    frames = [viewer.window.add_plugin_dock_widget("napari-unetseg", name)[0] for name in ("Segment", "Train", "Batch")]
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: set(window.tabifiedDockWidgets(frames[0])) == set(frames[1:]), timeout=5000)
    assert window.height() <= 768


@pytest.mark.screen
def test_the_review_lets_go_of_keys_and_frame_behind_another_tab(make_napari_viewer, qtbot) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.add_labels(np.pad(np.ones((9, 9), int), 20), name="objects")
    review = open_dock(viewer, "Review")
    qtbot.waitUntil(lambda: review.session.objects is not None, timeout=5000)
    review.next.click()
    assert "object in review" in viewer.layers
    open_dock(viewer, "Train")
    qtbot.waitUntil(lambda: "object in review" not in viewer.layers, timeout=5000)
    assert review._held is None
    open_dock(viewer, "Review")
    qtbot.waitUntil(lambda: "object in review" in viewer.layers, timeout=5000)
