"""How long the window does not answer while docks work, and how a run ends: xvfb-run -a python benchmarks/latency.py.

A timer of 2 ms notes how late it comes, which is how long the event loop was held up. `p99 wait`: 99 of 100 events that
arrive at random moments are answered within this time. `p99 tick`: the same of the timer's ticks, of which few fall
into a long hold-up. `undrawn`: without the time that the canvas takes to draw, which without a GPU is a software
renderer's. `own`: of that, without the time that the main thread waited for a core (Linux tells it), which other
programs cause too. Ratios are to the row `redrawing`: napari alone, whose labels are redrawn as often as a run does.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.layers import Labels
from napari.utils import progress
from qtpy import API_NAME
from qtpy.QtCore import QEventLoop, Qt, QTimer
from report import publish
from vispy.app import use_app

from napari_unetseg.images.simulate import simulate
from napari_unetseg.widgets._segment_session import REDRAW
from napari_unetseg.widgets.segment import SegmentDock
from napari_unetseg.widgets.train import TrainDock

TICK = 2  # ms
LATE = 0.99
PAINTED = 20  # cells
TIMEOUT = 900.0  # s
Scene = Callable[[Any, "Meter", argparse.Namespace], Any]


class Meter:
    """Notes the time between ticks of a timer in the event loop, and how much of it went into drawing."""

    def __init__(self) -> None:
        self.drawn = self.queued = 0.0
        self._timer = QTimer(timerType=Qt.TimerType.PreciseTimer, interval=TICK)
        self._timer.timeout.connect(self._on_timeout)
        canvas_class = use_app(API_NAME).backend_module.CanvasBackend
        draw = canvas_class.paintGL

        def paint(canvas: Any) -> None:
            began, before = time.perf_counter(), _queued()
            draw(canvas)
            self.drawn += time.perf_counter() - began
            self.queued += _queued() - before

        canvas_class.paintGL = paint

    def __enter__(self) -> Meter:
        self.late: list[float] = []
        self.undrawn: list[float] = []
        self.own: list[float] = []
        self.drawn, self._last = 0.0, time.perf_counter()
        self.queued, self._before = 0.0, _queued()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._on_timeout()
        self._timer.stop()

    def _on_timeout(self) -> None:
        now = time.perf_counter()
        late = max(0.0, now - self._last - TICK / 1000)
        self.late.append(late)
        queued = _queued()
        undrawn = max(0.0, late - self.drawn)
        self.undrawn.append(undrawn)
        self.own.append(max(0.0, undrawn - (queued - self._before - self.queued)))
        self.drawn, self._last = 0.0, now
        self.queued, self._before = 0.0, queued

    def row(self, name: str) -> dict[str, Any]:
        """Return the figures in milliseconds."""
        late, undrawn, own = (1000 * np.array(values) for values in (self.late, self.undrawn, self.own))
        return {
            "while": name,
            "seconds": float((late + TICK).sum() / 1000),
            "p99 wait (ms)": _wait(late),
            "p99 wait undrawn (ms)": _wait(undrawn),
            "p99 wait own (ms)": _wait(own),
            "p99 tick (ms)": float(np.quantile(late, LATE)),
            "longest (ms)": float(late.max()),
            "longest undrawn (ms)": float(undrawn.max()),
            "longest own (ms)": float(own.max()),
        }


def main() -> None:
    """Run all of it and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--idle", type=float, default=10, help="seconds")
    parser.add_argument("--train", type=float, default=60, help="seconds")
    parser.add_argument("--cancels", type=int, default=50)
    options = parser.parse_args()
    rows = [row for scene in (_idle, _segment, _train) for row in _in_own_process(scene, options)]
    cancels = _in_own_process(_cancel, options)
    base = rows[1]["p99 wait (ms)"]
    rows = [row | {"p99 wait / redrawing": row["p99 wait (ms)"] / base} for row in rows]
    publish("latency", rows, size=options.size, cancels=cancels)
    print(cancels)


def _in_own_process(scene: Scene, options: argparse.Namespace) -> Any:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_with_viewer, (scene, options))


def _with_viewer(scene: Scene, options: argparse.Namespace) -> Any:
    """Run a scene in a window of a small screen, with an empty folder of models."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNETSEG_MODELS"] = folder
        meter, viewer = Meter(), napari.Viewer()
        viewer.window._qt_window.resize(1366, 768)
        result = scene(viewer, meter, options)
        viewer.close()
        return result


def _idle(viewer: Any, meter: Meter, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure napari with an image and labels, first left alone, then redrawn as often as a run does."""
    plane, truth = _cells(options.size)
    viewer.add_image(plane, name="cells")
    labels = viewer.add_labels(truth, name="truth")
    _wait_until(lambda: False, seconds=1)
    with meter:
        _wait_until(lambda: False, seconds=options.idle)
    rows = [meter.row("idle")]
    timer = QTimer(interval=REDRAW)
    timer.timeout.connect(lambda: labels.refresh(thumbnail=False, highlight=False, extent=False))
    timer.start()
    with meter:
        _wait_until(lambda: False, seconds=options.idle)
    timer.stop()
    return [*rows, meter.row("redrawing")]


def _segment(viewer: Any, meter: Meter, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure the first forecast, which loads torch, then a whole run."""
    viewer.add_image(_cells(options.size)[0], name="cells")
    _wait_until(lambda: False, seconds=1)
    with meter:
        dock = SegmentDock(viewer)
        viewer.window.add_dock_widget(dock, name="Segment")
        _wait_until(lambda: dock.session.forecast is not None)
    rows = [meter.row("opening Segment, first forecast")]
    job = dock.session.job
    with meter:
        dock.run.click()
        _wait_until(lambda: not job.is_running)
        _wait_until(lambda: False, seconds=1)
    rows.append(meter.row(f"segmenting {options.size} x {options.size}"))
    print(dock.progress.text.text(), dock.refine.count.text())
    with meter:
        for value in (0.6, 0.7, 0.4):
            dock.refine.sliders["threshold"].setValue(value)
            _wait_until(lambda: not dock.session.refiner.is_partial)
    return [*rows, meter.row("refining it three times")]


def _cancel(viewer: Any, _meter: Meter, options: argparse.Namespace) -> dict[str, Any]:
    """Cancel at random moments, with and without labels from a run before, and look at what is left."""
    viewer.add_image(_cells(1024)[0], name="small")
    dock, count = SegmentDock(viewer), options.cancels
    viewer.window.add_dock_widget(dock, name="Segment")
    job, rng = dock.session.job, np.random.default_rng(0)
    began = time.perf_counter()
    _run(dock)
    length = time.perf_counter() - began
    reference = _result(viewer).data.copy()
    stops, problems, threads = [], [], []
    for number in range(count):
        if number % 2:
            viewer.layers.remove(_result(viewer))
            dock.session.result = None
        dock.run.click()
        _wait_until(lambda: not job.is_running, seconds=float(rng.uniform(0, length)))
        began = time.perf_counter()
        dock.cancel.click()
        acknowledged = time.perf_counter() - began
        _wait_until(lambda: not job.is_running)
        stops.append(time.perf_counter() - began)
        problems += [f"{number}: {one}" for one in _problems(viewer, dock, reference)]
        problems += [f"{number}: acknowledged after {acknowledged:.2f} s"] if acknowledged > 0.1 else []
        if _result(viewer) is None:
            _run(dock)
        _wait_until(lambda: False, seconds=0.05)
        threads.append((threading.active_count(), len(os.listdir("/proc/self/task"))))
    return {
        "runs": count,
        "seconds of a whole run": length,
        "median seconds to stop": float(np.median(stops)),
        "longest seconds to stop": float(np.max(stops)),
        "problems": problems,
        "threads of python, of the process, at the start": threads[min(4, count - 1)],
        "and at the end": threads[-1],
    }


def _problems(viewer: Any, dock: SegmentDock, reference: np.ndarray) -> list[str]:
    """Say what is not as it should be after a run was stopped."""
    found = [] if dock.run.isEnabled() else ["the button Segment is disabled"]
    found += ["the activity dock has a bar left"] if progress._all_instances else []
    layers = [layer for layer in viewer.layers if isinstance(layer, Labels)]
    found += [f"{len(layers)} layers of labels"] if len(layers) > 1 else []
    if layers and not np.array_equal(layers[0].data > 0, reference > 0):
        found.append("labels of a run that was stopped")
    return found


def _train(viewer: Any, meter: Meter, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure a training that starts from `nuclei` with few painted cells, with its live preview."""
    plane, truth = _cells(1024)
    viewer.add_image(plane, name="cells")
    viewer.add_labels(np.where(truth <= PAINTED, truth, 0), name="painted")
    dock = TrainDock(viewer)
    viewer.window.add_dock_widget(dock, name="Train")
    job = dock.session.job
    dock.minutes.setValue(10)
    _wait_until(dock.train.isEnabled, seconds=30)
    with meter:
        dock.train.click()
        _wait_until(lambda: bool(dock.session.history.step), seconds=120)
        _wait_until(lambda: not job.is_running, seconds=options.train)
        history = dock.session.history
        dock.stop.click()
        _wait_until(lambda: not job.is_running)
    previews = any(layer.name == "Training preview" for layer in viewer.layers)
    print(f"{history.step} steps, preview: {previews}, {dock.message.text.text()}")
    return [meter.row("training with live preview")]


def _run(dock: SegmentDock) -> None:
    dock.run.click()
    _wait_until(lambda: not dock.session.job.is_running)


def _result(viewer: Any) -> Labels | None:
    return next((layer for layer in viewer.layers if isinstance(layer, Labels)), None)


def _cells(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image with about 500 cells per megapixel, and its labels."""
    plane, truth = simulate((1024, 1024), seed=1)
    times = -(-size // 1024)
    return np.tile(plane, (times, times))[:size, :size], np.tile(truth, (times, times))[:size, :size].astype(np.uint32)


def _queued() -> float:
    """Return the seconds that this thread has waited for a core so far; 0 where the system does not tell."""
    path = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return int(path.read_text(encoding="ascii").split()[1]) / 1e9 if path.exists() else 0.0


def _wait(late: np.ndarray) -> float:
    """Return what a share `LATE` of events at random moments wait at most: one amid a hold-up waits for its rest."""
    low, high = 0.0, float(late.max())
    allowed = (1 - LATE) * float((late + TICK).sum())
    for _ in range(50):
        middle = (low + high) / 2
        is_enough = np.maximum(late - middle, 0).sum() <= allowed
        low, high = (low, middle) if is_enough else (middle, high)
    return high


def _wait_until(condition: Callable[[], bool], *, seconds: float = TIMEOUT) -> None:
    """Let the event loop run until a condition holds, or for so long."""
    loop, poll, end = QEventLoop(), QTimer(interval=10), time.monotonic() + seconds
    poll.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > end else None)
    poll.start()
    loop.exec()
    poll.stop()


if __name__ == "__main__":
    main()
