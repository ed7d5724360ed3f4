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
        self.job = Job(self)

    @property
    def viewer(self) -> Any:
        """The napari viewer; none once it is gone."""
        return self._viewer()

    def end_with(self, window: QWidget) -> None:
        """Stop the job when `window` closes."""
        window.destroyed.connect(self.job.shut_down)


Kind = TypeVar("Kind", bound=Session)
_sessions: WeakKeyDictionary[Any, dict[type[Session], Session]] = WeakKeyDictionary()


def session_of(viewer: Any, kind: type[Kind]) -> Kind:
    """Return the viewer's session of this kind; the first call makes it."""
    viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands plugins a proxy, another one each time
    kinds = _sessions.setdefault(viewer, {})
    if kind not in kinds:
        kinds[kind] = kind(viewer)
    session = kinds[kind]
    assert isinstance(session, kind)
    return session
