"""What outlives a dock: one session of each kind for each viewer, with its job and the layers it works on."""

from __future__ import annotations

from typing import Any, TypeVar
from weakref import WeakKeyDictionary, ref

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QWidget

from napari_unetseg.widgets._job import Job


class Session(QObject):
    """The part of a dock that goes on when the dock is closed: it runs the job and writes the layers.

    A dock opened again finds the session as it is. Everything here runs in the main thread.
    """

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = ref(viewer)  # a strong one would keep the viewer, and so this, for ever
        self._jobs: list[Job] = []
        self.job = self.new_job()

    @property
    def viewer(self) -> Any:
        """The napari viewer; none once it is gone."""
        return self._viewer()

    def new_job(self) -> Job:
        """Return one more job, for what may run beside the main one; it ends with the session."""
        self._jobs.append(Job(self))
        return self._jobs[-1]

    def end_with(self, window: QWidget) -> None:
        """Stop the jobs when `window` closes."""
        window.destroyed.connect(self.shut_down)

    def shut_down(self) -> None:
        """Stop the jobs; nothing is told any more."""
        for job in self._jobs:
            job.shut_down()


Kind = TypeVar("Kind", bound=Session)
_sessions: WeakKeyDictionary[Any, dict[type[Session], Session]] = WeakKeyDictionary()


def session_of(viewer: Any, kind: type[Kind]) -> Kind:
    """Return the viewer's session of this kind; the first call makes it, and it ends with the viewer's window."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy, another one each time
    kinds = _sessions.setdefault(viewer, {})
    if kind not in kinds:
        kinds[kind] = kind(viewer)
        window = getattr(getattr(viewer, "window", None), "_qt_window", None)  # a viewer's model alone has none
        if window is not None:
            kinds[kind].end_with(window)
    session = kinds[kind]
    assert isinstance(session, kind)
    return session
