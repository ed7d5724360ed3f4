"""Run a task off the GUI thread and tell the main thread what happens; the only file that knows threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator
from queue import Empty, SimpleQueue
from typing import Any

from qtpy.QtCore import QCoreApplication, QObject, QTimer, Signal

from napari_unetseg.schema.events import Event

logger = logging.getLogger(__name__)

Task = Callable[[], Generator[Event, None, Any]]
"""Called in the worker thread, so that heavy imports inside it happen there."""

POLL = 40  # milliseconds between two looks at what the thread has sent
SLICE = 0.02  # seconds of events handed on in one go; the window is repainted between two
PATIENCE = 5.0  # seconds to wait for the thread when the window closes


class Job(QObject):
    """Runs one task at a time.

    Signals, in this order: `started`, any number of `progressed`, one of `succeeded`, `failed`, `cancelled`, and at
    the very end `finished`. All are emitted in the main thread. `changed`: running, paused or stopping has changed.
    """

    started = Signal()
    progressed = Signal(object)
    succeeded = Signal(object)
    failed = Signal(object)
    cancelled = Signal()
    finished = Signal()
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._run: _Run | None = None
        self._last: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL)
        self._timer.timeout.connect(self._drain)
        application = QCoreApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self.shut_down)

    @property
    def is_running(self) -> bool:
        """Whether a task runs or its last words are still to be told."""
        return self._run is not None

    @property
    def is_paused(self) -> bool:
        """Whether the task waits for `resume`."""
        return self._run is not None and not self._run.may_go.is_set()

    @property
    def is_stopping(self) -> bool:
        """Whether `cancel` was asked for and the task has not ended yet."""
        return self._run is not None and self._run.must_stop.is_set()

    def start(self, task: Task, *, closes_aside: bool = False) -> bool:
        """Start `task` unless one runs already (a double click starts one job); say whether it was started.

        With `closes_aside` a cancelled task is told to have ended before it has put its things away, which may take it
        a while; the next one waits for that.
        """
        if self._run is not None:
            return False
        self._run = _Run(task, after=self._last, closes_aside=closes_aside)
        self._last = self._run.thread
        self._timer.start()
        self._run.thread.start()
        self.started.emit()
        self.changed.emit()
        return True

    def cancel(self) -> None:
        """Ask the task to end at its next event."""
        if self._run is not None:
            self._run.must_stop.set()
            self._run.may_go.set()
            self.changed.emit()

    def pause(self) -> None:
        """Hold the task at its next event."""
        if self._run is not None and not self._run.must_stop.is_set():
            self._run.may_go.clear()
            self.changed.emit()

    def resume(self) -> None:
        """Let a paused task go on."""
        if self._run is not None:
            self._run.may_go.set()
            self.changed.emit()

    def shut_down(self) -> None:
        """End the task because the window closes; nothing is told any more."""
        run, self._run = self._run, None
        self._timer.stop()
        if run is not None:
            run.must_stop.set()
            run.may_go.set()
        if self._last is not None:
            self._last.join(PATIENCE)

    def _drain(self) -> None:
        """Hand on what the thread has sent, for a slice of time; runs in the main thread."""
        until = time.perf_counter() + SLICE
        while self._run is not None and time.perf_counter() < until:
            try:
                signal, value = self._run.sent.get_nowait()
            except Empty:
                return
            if signal == "event":
                self.progressed.emit(value)
            else:
                self._end(signal, value)

    def _end(self, signal: str, value: Any) -> None:
        self._run = None
        self._timer.stop()
        self.changed.emit()
        try:
            if signal == "cancelled":
                self.cancelled.emit()
            else:
                getattr(self, signal).emit(value)
        finally:
            self.finished.emit()


class _Run:
    """A thread, what it sends, and the two flags it looks at between events."""

    def __init__(self, task: Task, *, after: threading.Thread | None, closes_aside: bool) -> None:
        self.sent: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self.must_stop = threading.Event()
        self.may_go = threading.Event()
        self.may_go.set()
        self._after, self._closes_aside = after, closes_aside
        self.thread = threading.Thread(target=self._work, args=(task,), name="unetseg job", daemon=True)

    def _work(self, task: Task) -> None:
        if not self._is_my_turn():
            return
        try:
            self._advance(task())
        except Exception as error:  # the outer door: the dock shows what went wrong, with the traceback to copy
            logger.debug("job failed", exc_info=True)
            self.sent.put(("failed", error))

    def _is_my_turn(self) -> bool:
        """Wait for the task before to put its things away; false if this one was cancelled meanwhile."""
        last, self._after, is_told = self._after, None, False
        while last is not None and last.is_alive():
            last.join(POLL / 1000)
            if self.must_stop.is_set() and not is_told:
                self.sent.put(("cancelled", None))
                is_told = True
        return not is_told

    def _advance(self, job: Generator[Event, None, Any]) -> None:
        try:
            while not self.must_stop.is_set():
                try:
                    event = next(job)
                except StopIteration as end:
                    self.sent.put(("succeeded", end.value))
                    return
                self.sent.put(("event", event))
                self.may_go.wait()
            if self._closes_aside:
                self.sent.put(("cancelled", None))
        finally:
            job.close()  # a suspended generator would run its `finally` whenever it is collected
        if not self._closes_aside:
            self.sent.put(("cancelled", None))
