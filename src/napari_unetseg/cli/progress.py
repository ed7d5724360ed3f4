"""Progress of a running task, from the events it yields: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeVar

from napari_unetseg.cli.report import Report, printable
from napari_unetseg.schema.events import Event, ItemDone, Note, Saved, StepDone, TileDone, Validated
from napari_unetseg.schema.words import MEASURES, duration

if TYPE_CHECKING:
    from tqdm import tqdm

Result = TypeVar("Result")
LINE_SECONDS = 10.0
_BAR = "{percentage:3.0f}% |{bar:20}| {desc}, {remaining} left"


def drive(
    generator: Generator[Event, None, Result],
    *,
    report: Report,
    items: int = 1,
    watch: Callable[[Event], None] | None = None,
) -> Result:
    """Run `generator` to its end, show its events, and return its value; `watch` sees every event too.

    However it ends, the generator is closed: what it holds open (temporary files) is cleaned up at once.
    """
    with Progress(report=report, items=items) as progress:
        try:
            while True:
                event = next(generator)
                if watch is not None:
                    watch(event)
                progress.show(event)
        except StopIteration as stop:
            value: Result = stop.value
            return value
        finally:
            generator.close()


class Progress:
    """Turns events into a share of the whole and a few words, and shows both."""

    def __init__(self, *, report: Report, items: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.report = report
        self.items = max(items, 1)
        self.items_done = 0
        self.kept: float | None = None
        self.measure = "AP"
        self._step: StepDone | None = None
        self._clock = clock
        self._start: tuple[float, float] | None = (
            None  # time and share at the first event: a resumed run starts above 0
        )
        self._last_line = clock()
        self._bar: tqdm[Any] | None = self._make_bar()

    def _make_bar(self) -> tqdm[Any] | None:
        if self.report.rank or self.report.as_json or not sys.stderr.isatty():
            return None
        from tqdm import tqdm

        return tqdm(total=1.0, file=sys.stderr, bar_format=_BAR, leave=False, dynamic_ncols=True, desc="starting")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case TileDone() if self._step:  # training scores its validation images
                self.update(self._step.fraction, f"step {self._step.step}, scoring {event.done}/{event.total}")
            case TileDone():
                share = event.done / max(event.total, 1)
                self.update((self.items_done + share) / self.items, self._tile_text(event))
            case ItemDone():
                self.items_done, self.items = event.done, max(event.total, 1)
                if event.error is not None:
                    self._above_bar(partial(self.report.failure, event.item, event.error))
                self.update(self.items_done / self.items, f"{event.done}/{event.total} {event.item}")
            case StepDone():
                self._step = event
                kept = "" if self.kept is None else f", kept: {self.measure} {self.kept:.3f}"
                self.update(event.fraction, f"step {event.step}, loss {event.loss:.4f}{kept}")
            case Validated():
                self.kept = event.shown if event.is_kept else self.kept
                self.measure = MEASURES[event.measure]
            case Note():
                self._above_bar(lambda: self.report.note(event.message))
            case Saved():
                pass

    def _tile_text(self, event: TileDone) -> str:
        item = f"{self.items_done + 1}/{self.items} {event.item} " if event.item else ""
        return f"{item}{event.done}/{event.total}"

    def update(self, fraction: float, text: str) -> None:
        """Show that `fraction` of everything is done."""
        fraction = min(max(fraction, 0.0), 1.0)
        now = self._clock()
        if self._start is None:
            self._start = now, fraction
        if self._bar is not None:
            self._bar.set_description_str(printable(text), refresh=False)
            self._bar.update(fraction - self._bar.n)
        elif now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            self.line(f"{100 * fraction:3.0f} % {text}{self._time_left(now, fraction)}")

    def _time_left(self, now: float, fraction: float) -> str:
        assert self._start is not None
        gained = fraction - self._start[1]
        if gained <= 0:
            return ""
        return f", about {duration((now - self._start[0]) * (1 - fraction) / gained)} left"

    def line(self, text: str) -> None:
        """Print a line that stays, above the bar if there is one."""
        self._above_bar(lambda: self.report.step(text))

    def _above_bar(self, action: Callable[[], None]) -> None:
        if self._bar is None:
            action()
            return
        self._bar.clear()
        action()
        self._bar.refresh()
