"""Decoding the last run's maps with other settings: what is in view at once, then all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, LabelsPart
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._segment_tasks import refine_all_task, refine_window_task

if TYPE_CHECKING:
    from napari_unetseg.widgets._segment_session import SegmentSession

AT_ONCE = 80  # milliseconds after the last movement of a slider
SETTLED = 600  # milliseconds until all that is kept is decoded too
CORRECTED = "these labels were corrected by hand, which other settings would undo; segment again for a new layer"
MARGIN = 64  # px beyond what is in view, so that objects are cut where nobody looks


class Refiner(QObject):
    """`changed`: it works, rests, or has another word to say; `is_partial`: only what was in view is up to date."""

    changed = Signal()

    def __init__(self, session: SegmentSession) -> None:
        super().__init__(session)
        self._session = session
        self.job = session.new_job()
        self.wanted: DecodingConfig | None = None
        self.applied: DecodingConfig | None = None
        self.is_partial = False
        self.problem = ""
        self._stage = ""
        self._has_written = False
        """Whether labels were decoded with settings other than those applied."""
        self._view = QTimer(self, interval=AT_ONCE, singleShot=True)
        self._all = QTimer(self, interval=SETTLED, singleShot=True)
        self._view.timeout.connect(self._decode_view)
        self._all.timeout.connect(self._decode_all)
        self.job.progressed.connect(self._on_progressed)
        self.job.succeeded.connect(self._on_succeeded)
        self.job.failed.connect(session.failed.emit)
        self.job.finished.connect(self._on_finished)
        session.moved.connect(self._on_moved)

    def begin(self, decoding: DecodingConfig) -> None:
        """Start from a result that was decoded so."""
        self.wanted = self.applied = decoding
        self.is_partial, self.problem, self._has_written = False, "", False
        self.changed.emit()

    def refine(self, decoding: DecodingConfig) -> None:
        """Decode with these settings; of several calls in a row the last one counts."""
        if not self._session.can_refine or decoding == self.wanted:
            return
        if self._session.result.is_edited:
            self._refuse()
            return
        self.wanted, self.is_partial = decoding, decoding != self.applied or self._has_written
        self._all.stop()
        self._view.start()

    def _refuse(self) -> None:
        """Leave labels alone that a person has corrected."""
        self.wanted, self.problem = self.applied, CORRECTED
        self.changed.emit()

    def stop(self) -> None:
        """Do nothing more."""
        self._view.stop()
        self._all.stop()
        self.wanted = self.applied
        self.job.cancel()

    @property
    def needs_run(self) -> bool:
        """Whether the rest of the result can only follow when the network runs again."""
        return self.is_partial and not self._session.cache.is_complete

    def _decode_view(self) -> None:
        if not self._session.can_refine or self.wanted is None:
            return
        if self.job.is_running:
            self.job.cancel()  # `finished` begins anew
            return
        if self._session.result.is_edited:
            self._refuse()
            return
        session, found = self._session, self._in_view()
        self.problem = "" if found else "what is in view is not kept in memory"
        if found is None:
            self._rest()
            return
        place, window = found
        self._stage = "view"
        self._start(refine_window_task, decoding=self.wanted, place=place, window=window, order=session.order)

    def _decode_all(self) -> None:
        session = self._session
        if session.can_refine and session.result.is_edited:
            self._refuse()
        elif session.can_refine and session.cache.is_complete and self.wanted is not None and not self.job.is_running:
            self._stage = "all"
            layer = session.result.layer
            self._start(refine_all_task, decoding=self.wanted, table=session.table(layer), order=session.order)

    def _start(self, make: Any, *, order: Any, decoding: DecodingConfig, **details: Any) -> None:
        session = self._session
        self._decoding = decoding
        task = make(
            order, loaded=session.loaded, result=session.result, cache=session.cache, decoding=decoding, **details
        )
        self.job.start(task)
        self.changed.emit()

    def _on_progressed(self, event: Event) -> None:
        if isinstance(event, LabelsPart) and self._session.can_refine:
            self._has_written = True
            self._session.write(event)

    def _on_succeeded(self, value: Any) -> None:
        if self._stage == "all" and self._session.can_refine:
            self.applied = self._decoding
            self.is_partial = self._has_written = False
            self._session.finish_result(value, decoding=self._decoding)

    def _on_finished(self) -> None:
        if self.wanted is not None and self.wanted != self._decoding:
            self._view.start()
        elif self._stage == "view":
            self._rest()
        self.changed.emit()

    def _rest(self) -> None:
        if self._session.cache.is_complete and (self.wanted != self.applied or self._has_written):
            self._all.start()
        self.changed.emit()

    def _on_moved(self) -> None:
        """Bring the new view up to date where the rest is not."""
        if self.is_partial and self._session.can_refine and self.needs_run:
            self._view.start()

    def _in_view(self) -> tuple[tuple[int, int | None], tuple[slice, slice]] | None:
        """Return the frame in view and its rows and columns, within the region of the run; none if not kept."""
        session = self._session
        result, viewer = session.result, session.viewer
        here = _layers.current(result.layer, axes=result.axes, viewer=viewer)
        t, z = (here.get(letter, 0) - result.box[axis].start for axis, letter in enumerate("TZ"))
        place = (t, None if session.order.ndim == 3 else z)
        if place not in session.cache.frames:
            return None
        lengths = session.cache.frames[place].shape[-2:]
        whole = (slice(0, lengths[0]), slice(0, lengths[1]))
        if viewer.dims.ndisplay != 2 or "".join(result.axes[axis] for axis in _displayed(result.layer, viewer)) != "YX":
            return place, whole
        window = []
        for shown, box, length in zip(
            _layers.visible(result.layer, axes=result.axes), result.box[2:], lengths, strict=True
        ):
            start, stop = shown.start - box.start - MARGIN, shown.stop - box.start + MARGIN
            window.append(slice(max(0, min(start, length - 1)), max(1, min(stop, length))))
        return place, (window[0], window[1])


def _displayed(layer: Any, viewer: Any) -> list[int]:
    """Return the axes of the layer that the canvas shows."""
    offset = viewer.dims.ndim - layer.ndim
    return [axis - offset for axis in viewer.dims.displayed if axis >= offset]
