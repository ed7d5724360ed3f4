"""A segmentation that outlives its dock: runs the network, fills the Labels layer, decodes it anew."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from napari.layers import Image, Labels, Shapes
from napari.utils import progress
from qtpy.QtCore import QTimer, Signal

from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, LabelsPart, Note, TileDone
from napari_unetseg.schema.words import duration
from napari_unetseg.widgets._camera import camera_of
from napari_unetseg.widgets._disk_tasks import disk_task
from napari_unetseg.widgets._job import Task
from napari_unetseg.widgets._layers import is_aid
from napari_unetseg.widgets._segment_disk import ResultOnDisk
from napari_unetseg.widgets._segment_refiner import Refiner
from napari_unetseg.widgets._segment_result import Result, result_for, table_of
from napari_unetseg.widgets._segment_tasks import Loaded, Order, forecast_task, new_cache, segment_task
from napari_unetseg.widgets._session import Session

REDRAW = 300  # milliseconds between two redraws while tiles arrive
BETWEEN = 10  # milliseconds between two parts of a redraw
SETTLE = 400  # milliseconds without a change before something is measured
STEPS = 1000
WORTH_LEARNING = 2.0  # seconds a run must last to tell how fast this computer is


class SegmentSession(Session):
    """Runs one segmentation at a time and remembers the last one.

    Signals: `changed` (what can be done, or what is shown, is another), `advanced` (the share that is done), `told`
    (text and kind, for the dock's message), `failed` (an error), `moved` (the viewer shows another place).
    """

    changed = Signal()
    advanced = Signal()
    told = Signal(str, str)
    failed = Signal(object)
    moved = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.loaded = Loaded()
        self.order: Order | None = None
        self.result: Result | ResultOnDisk | None = None
        self.cache: Any = None
        self.objects: int | None = None
        self.fraction, self.began, self.ended = 0.0, 0.0, ""
        self.forecast: Any = None
        """A `Forecast`, an error, or none while it is not known."""
        self._asked: Order | None = None
        self._wanted: Order | None = None  # of what was asked, what is not begun yet
        self._expected: Any = None
        self._layers: WeakKeyDictionary[Image, Labels] = WeakKeyDictionary()
        self._layer: Image | None = None
        self._notes: list[str] = []
        self._bar: Any = None
        self.forecaster, self.saver = self.new_job(), self.new_job()
        self.refiner = Refiner(self)
        self._redraw = self._timer(REDRAW, self._on_redraw_timeout)
        self._rest = self._timer(BETWEEN, self._on_redraw_timeout)
        self._settle = self._timer(SETTLE, self._on_settle_timeout)
        self._move = self._timer(SETTLE, self.moved.emit)
        self._connect(viewer)

    def start(self, layer: Image, order: Order) -> bool:
        """Segment; a second call while a run goes on does nothing. Say whether a run was started."""
        if self.job.is_running:
            return False
        self.forecaster.cancel()
        self.refiner.stop()
        self._expected = self.forecast
        if self.result is not None:
            self.result.take_back()
        axes, region = order.source.axes.letters, order.region
        is_large, kind = order.place is not None, {"region": region, "is_semantic": order.card.target.is_semantic}
        if is_large:
            result: Any = ResultOnDisk(layer, axes=axes, place=order.place, **kind)
        else:
            result = result_for(layer, axes, viewer=self.viewer, known=self._layers, **kind)
        is_refined = not is_large and not result.is_semantic
        self.order, self.result, self.cache, self._layer = order, result, new_cache() if is_refined else None, layer
        self._notes, self.fraction, self.ended = [], 0.0, ""
        self.began = time.monotonic()
        if getattr(self.viewer, "window", None) is not None:
            self._bar = progress(total=STEPS, desc=f"Segment {layer.name}")
        return self.job.start(self._task(order, result), closes_aside=is_large)

    def order_with(self, decoding: DecodingConfig) -> Order:
        """Return the last order with other settings."""
        return replace(self.order, decoding=decoding)

    def ask_forecast(self, order: Order | None) -> None:
        """Find out, once nothing changes any more, what a run would take; `forecast` is none until then."""
        self._asked = self._wanted = order
        self.forecast = None
        self._settle.start()

    def image(self) -> Image | None:
        """Return the image of the result, if it is still there."""
        known = [image for image, labels in self._layers.items() if labels is self.result.layer]
        return next((image for image in known if image in self.viewer.layers), None)

    def save(self, path: Path) -> None:
        """Save the labels as they are now, corrections included."""
        result, order = self.result, self.order
        if result is None or order is None:
            return
        labels, axes, scale = result.canvas, result.axes, order.source.scale

        def task() -> Any:
            from napari_unetseg.tasks.save import save_labels

            return (yield from save_labels(labels, path=path, axes=axes, scale=scale))

        self.saver.start(task)

    def shut_down(self) -> None:
        """Stop the jobs and remove the bar from the activity dock."""
        super().shut_down()
        for timer in (self._redraw, self._rest, self._settle, self._move):
            timer.stop()
        self._close_bar()

    @property
    def can_refine(self) -> bool:
        """Whether there is a result whose maps are kept, at least in part."""
        return bool(
            self.result is not None
            and not self.job.is_running
            and self.cache is not None
            and self.cache.frames
            and self.result.is_shown(self.viewer)
        )

    def finish_result(self, segmentation: Any, *, decoding: DecodingConfig) -> None:
        """Put table and facts into the layer."""
        self.result.finish(self.viewer, facts=self.order.facts(decoding=decoding), table=segmentation.table)
        self.objects = segmentation.objects

    def table(self, layer: Labels) -> Any:
        """Return the table of objects that a layer of ours has."""
        return table_of(layer.features)

    def write(self, part: LabelsPart) -> None:
        """Write a part of the labels and redraw soon."""
        self.result.write(part)
        if not self._redraw.isActive():
            self._redraw.start()

    def _task(self, order: Order, result: Any) -> Task:
        if order.place is not None:
            return disk_task(order, loaded=self.loaded, result=result)
        table = None if result.layer is None else self.table(result.layer)
        return segment_task(order, loaded=self.loaded, result=result, table=table, cache=self.cache)

    def _connect(self, viewer: Any) -> None:
        self.job.progressed.connect(self._on_progressed)
        self.job.succeeded.connect(self._on_succeeded)
        self.job.cancelled.connect(self._on_cancelled)
        self.job.failed.connect(self._on_failed)
        self.job.finished.connect(self._on_finished)
        self.forecaster.succeeded.connect(self._on_forecast)
        self.forecaster.failed.connect(self._on_forecast)
        self.forecaster.finished.connect(self._on_forecaster_finished)
        self.saver.succeeded.connect(lambda path: self.told.emit(f"Saved {path}", "note"))
        self.saver.failed.connect(self.failed)
        for emitter in (
            viewer.dims.events.current_step,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            camera_of(viewer).events.zoom,
            camera_of(viewer).events.center,
        ):
            emitter.connect(self._on_viewer_moved)

        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        for layer in viewer.layers:
            self._watch(layer)

    def _watch(self, layer: Any) -> None:
        """Follow the rectangles that are drawn."""
        if isinstance(layer, Shapes) and not is_aid(layer):
            layer.events.set_data.connect(self._on_viewer_moved)

    def _on_layer_inserted(self, event: Any) -> None:
        self._watch(event.value)

    def _timer(self, milliseconds: int, slot: Any) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.setInterval(milliseconds)
        timer.timeout.connect(slot)
        return timer

    def _on_viewer_moved(self, event: Any = None) -> None:
        self._move.start()

    def _on_settle_timeout(self) -> None:
        order = self._wanted
        if order is None or self.job.is_running:
            return
        if self.forecaster.is_running:
            self.forecaster.cancel()  # what it is about is out of date; `finished` starts the next one
            return
        self._wanted = None
        self.forecaster.start(forecast_task(order, loaded=self.loaded))

    def _on_forecast(self, value: Any) -> None:
        if self._wanted is None:
            self.forecast = value
            self.changed.emit()

    def _on_forecaster_finished(self) -> None:
        if self._wanted is not None:
            self._settle.start()

    def _on_progressed(self, event: Event) -> None:
        match event:
            case TileDone():
                self.fraction = event.done / max(1, event.total)
                if self._bar is not None:
                    self._bar.update(round(STEPS * self.fraction) - self._bar.n)
                self.advanced.emit()
            case LabelsPart():
                self.write(event)
            case Note() if event.message:
                self._notes.append(event.message)

    def _on_succeeded(self, segmentation: Any) -> None:
        asked, self.order = self.order.diameter, self.order.settled(segmentation.decoding)
        if self.order.place is None and self.order.diameter == asked:  # else it has gone on from another, or was scaled
            self._learn(segmentation.seconds)
        can_undo = self.result.can_undo or self.result.is_new
        self.finish_result(segmentation, decoding=self.order.decoding)
        self._remember_layer()
        seconds = time.monotonic() - self.began
        self.ended = "Opened" if self.order.opens else f"Done in {duration(seconds)}"
        self._notes.extend(self.result.notes())
        if not can_undo:
            self._notes.append("the change is too large for an undo step")
        if self._notes:
            self.told.emit("\n".join(self._notes), "note")

    def _learn(self, seconds: float) -> None:
        forecast = self._expected
        if seconds > WORTH_LEARNING and forecast is not None and not isinstance(forecast, Exception):
            self.loaded.learn(self.order, seconds / forecast.seconds)

    def _on_cancelled(self) -> None:
        self._keep_finished("Stopped")

    def _on_failed(self, error: BaseException) -> None:
        self.loaded.forget()
        self._keep_finished("Failed")
        self.failed.emit(error)

    def _keep_finished(self, word: str) -> None:
        self.ended = self.result.stop(self.viewer, order=self.order, word=word)
        if not self.result.is_touched:
            self.result = None
            return
        self._remember_layer()
        if notes := self.result.notes():
            self.told.emit("\n".join(notes), "note")
        self.objects = None

    def _remember_layer(self) -> None:
        if self._layer is not None and self.result.layer is not None:
            self._layers[self._layer] = self.result.layer

    def _on_finished(self) -> None:
        self._close_bar()
        self._redraw.stop()
        self._rest.stop()
        self._layer = None
        self.refiner.begin(self.order.decoding)
        self._wanted = self._asked  # the run may have told more, or the forecast was cut short by it
        self._settle.start()
        self.changed.emit()

    def _on_redraw_timeout(self) -> None:
        if self.result is None or self.viewer is None:
            return
        if self.result.layer is None:  # on its own: adding a large layer takes napari some tenths of a second
            self.result.show(self.viewer)
        elif self.result.redraw(self.viewer):
            self._rest.start()

    def _close_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()
