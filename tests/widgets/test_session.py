"""A session is one for each viewer, outlives its docks, ends with the window, and keeps no viewer alive."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtWidgets import QWidget

from napari_unetseg.schema.events import Note
from napari_unetseg.widgets._session import Session, session_of


class Toy(Session):
    """A session that does nothing."""


class Other(Session):
    """Another kind."""


def endless():
    while True:
        time.sleep(0.002)
        yield Note("tick")


def test_a_viewer_has_one_session_of_each_kind(qapp) -> None:
    viewer, second = ViewerModel(), ViewerModel()
    session = session_of(viewer, Toy)
    assert session_of(viewer, Toy) is session
    assert session_of(PublicOnlyProxy(viewer), Toy) is session  # what napari hands to plugins
    assert session_of(viewer, Other) is not session
    assert session_of(second, Toy) is not session
    assert session.viewer is viewer


def test_it_goes_on_when_its_dock_is_closed(qtbot) -> None:
    viewer = ViewerModel()

    class Dock(QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.session = session_of(viewer, Toy)
            self.session.job.progressed.connect(self._on_job_progressed)

        def _on_job_progressed(self, event: Note) -> None:
            self.setWindowTitle(event.message)

    dock = Dock()
    dock.session.job.start(endless)
    dock.deleteLater()
    del dock
    qtbot.wait(100)  # ticks arrive at no dock
    session = session_of(viewer, Toy)
    assert session.job.is_running
    with qtbot.waitSignal(session.job.finished, timeout=5000):
        session.job.cancel()


@pytest.mark.parametrize("is_running", [False, True])
def test_it_does_not_keep_the_viewer_alive(qtbot, is_running) -> None:
    viewer = ViewerModel()
    session = session_of(viewer, Toy)
    if is_running:
        session.job.start(endless)
    gone, ended = weakref.ref(viewer), weakref.ref(session)
    session.shut_down()
    del viewer, session
    qtbot.waitUntil(lambda: gc.collect() is not None and gone() is None and ended() is None, timeout=5000)


def test_what_it_finds_of_a_viewer_that_is_gone_is_none(qapp) -> None:
    viewer = ViewerModel()
    session = session_of(viewer, Toy)
    del viewer
    gc.collect()
    assert session.viewer is None


def test_every_job_ends_with_the_window(qtbot) -> None:
    window = QWidget()
    session = Toy(ViewerModel())
    session.end_with(window)
    beside = session.new_job()
    session.job.start(endless)
    beside.start(endless)
    window.deleteLater()
    qtbot.waitUntil(lambda: not session.job.is_running and not beside.is_running, timeout=5000)
    assert not [thread for thread in threading.enumerate() if thread.name == "unetseg job"]


def test_the_window_of_a_viewer_is_found_by_itself(make_napari_viewer, qtbot) -> None:
    """E4."""
    viewer = make_napari_viewer()
    session = session_of(viewer, Toy)
    session.job.start(endless)
    viewer.close()
    qtbot.waitUntil(lambda: not session.job.is_running, timeout=5000)
