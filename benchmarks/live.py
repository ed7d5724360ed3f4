"""How long until a painted cell shows in the live preview? The real Train dock, offscreen: python benchmarks/live.py.

A field of 512 x 512 phase-contrast pixels, five cells painted, fine-tuning `nuclei`. Then, one after the other, cells
that the preview does not outline yet are painted. Three times are taken from each stroke: until the training has the
new labels, until the first preview that has learnt from them is on the screen, and until that cell is outlined. The
processor time until the preview tells, on a busy machine, how long it would take on one that has nothing else to do.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from datasets import samples
from report import publish
from scipy import ndimage

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
EDGE = 512
PAINTED = 5
TARGET = 30.0  # seconds
FOUND = 0.5  # IoU from which a cell counts as outlined


def main() -> None:
    """Train, paint meanwhile, publish the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="usiigaci_t98g_phase")
    parser.add_argument("--strokes", type=int, default=3)
    parser.add_argument("--warm-up", type=float, default=15.0, help="seconds of training before the first stroke")
    parser.add_argument("--wait", type=float, default=45.0, help="seconds to wait for a stroke to show at most")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["UNETSEG_MODELS"] = folder
        rows, facts = _measure(options)
    publish("live", rows, data=options.data, edge=EDGE, painted_before=PAINTED, target_seconds=TARGET, **facts)


def _measure(options: argparse.Namespace) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    from napari.components import ViewerModel
    from qtpy.QtWidgets import QApplication

    from napari_unetseg.widgets.train import TrainDock

    application = QApplication.instance() or QApplication([])
    viewer = ViewerModel()
    image, truth = _field(options.data)
    layer = viewer.add_image(image, name="field")
    layer.corner_pixels = np.array([[0, 0], [EDGE - 1, EDGE - 1]])  # a viewer without a window shows nothing
    labels = viewer.add_labels(np.zeros_like(truth), name="painted")
    order = _from_the_middle(truth)
    for index in order[:PAINTED]:
        labels.data_setitem(np.nonzero(truth == index), index)
    dock = TrainDock(viewer)
    watch = Watch(dock.session, application)
    watch.until(dock.train.isEnabled, seconds=10)
    dock.train.click()
    watch.until(lambda: watch.previews, seconds=120)
    watch.until(lambda: False, seconds=options.warm_up)
    rows, left = [], list(order[PAINTED:])
    for number in range(1, options.strokes + 1):
        index = next((one for one in left if watch.overlap(truth == one) < FOUND), left[0])
        left.remove(index)
        rows.append({"stroke": number, **watch.stroke(labels, truth == index, index, seconds=options.wait)})
    history = dock.session.history
    facts = {
        "seconds_for_a_step": history.seconds / max(1, history.step),
        "seconds_between_previews": statistics.median(np.diff([one for one, _ in watch.previews])),
        "preview_every": dock.session.preview_every,
    }
    dock.stop.click()
    watch.until(lambda: not dock.session.job.is_running, seconds=60)
    return rows, facts


def _field(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle of the training image with the most cells, and its true labels."""
    sample = max(samples(name, "train"), key=lambda one: int(one.labels.max()))
    where = tuple(slice((length - EDGE) // 2, (length + EDGE) // 2) for length in sample.labels.shape)
    return sample.image[(0, *where)], sample.labels[where].astype(np.int32)


def _from_the_middle(truth: np.ndarray) -> list[int]:
    """Return the ids of the cells, those near the middle first."""
    ids = np.unique(truth)[1:]
    centres = np.array(ndimage.center_of_mass(truth > 0, truth, ids))
    return [int(ids[index]) for index in np.argsort(((centres - EDGE / 2) ** 2).sum(1))]


class Watch:
    """Notes when labels were taken over and previews shown."""

    def __init__(self, session: Any, application: Any) -> None:
        self._application = application
        self._session = session
        self.previews: list[tuple[float, Any]] = []
        self.relabelled: list[tuple[float, Any]] = []
        session.job.progressed.connect(self._on_progressed)

    def _on_progressed(self, event: Any) -> None:
        from napari_unetseg.schema.events import Previewed, Relabelled

        if isinstance(event, Previewed):
            self.previews.append((time.monotonic(), event))
        elif isinstance(event, Relabelled):
            self.relabelled.append((time.monotonic(), event))

    def until(self, condition: Callable[[], Any], *, seconds: float) -> bool:
        """Let the window live until `condition` holds; tell whether it does."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._application.processEvents()
            time.sleep(0.005)
        return bool(condition())

    def overlap(self, cell: np.ndarray) -> float:
        """Return the IoU of a cell with the object of the newest preview that overlaps it best."""
        found = self.previews[-1][1].labels
        ids, shared = np.unique(found[cell], return_counts=True)
        unions = cell.sum() + np.array([np.count_nonzero(found == one) for one in ids]) - shared
        return max((float(one) for one in (shared / unions)[ids > 0]), default=0.0)

    def stroke(self, layer: Any, cell: np.ndarray, index: int, *, seconds: float) -> dict[str, Any]:
        """Paint a cell, and wait until the preview outlines it."""
        from napari_unetseg.tasks.patches import PREFETCH

        taken, shown = len(self.relabelled), len(self.previews)
        before, began, worked = self.overlap(cell), time.monotonic(), time.process_time()
        layer.data_setitem(np.nonzero(cell), index)
        self.until(lambda: len(self.relabelled) > taken, seconds=seconds)
        at, event = self.relabelled[taken]
        first = event.step + PREFETCH + 1  # the batches made ahead do not know the stroke yet

        def has_learnt() -> bool:
            return any(one.step >= first for _, one in self.previews[shown:])

        self.until(has_learnt, seconds=seconds)
        worked = time.process_time() - worked
        learnt = next((moment for moment, one in self.previews[shown:] if one.step >= first), None)
        self.until(lambda: has_learnt() and self.overlap(cell) >= FOUND, seconds=began + seconds - time.monotonic())
        is_found = self.overlap(cell) >= FOUND
        return {
            "step": event.step,
            "labels taken (s)": at - began,
            "in the preview (s)": None if learnt is None else learnt - began,
            "processor time until then (s)": worked,
            "cell outlined (s)": self.previews[-1][0] - began if is_found else None,
            "IoU before": before,
            "IoU after": self.overlap(cell),
        }


if __name__ == "__main__":
    main()
