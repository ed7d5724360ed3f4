"""Drive a job, which is a generator of events with a result: run it to its end, or pass its progress on."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from napari_unetseg.schema.events import Event, TileDone

Result = TypeVar("Result")


def finish(job: Generator[Event, None, Result]) -> Result:
    """Run `job` to its end, dropping its events, and return its result."""
    while True:
        try:
            next(job)
        except StopIteration as end:
            result: Result = end.value
            return result


def as_part(
    job: Generator[Event, None, Result], *, item: str, before: int = 0, total: int | None = None
) -> Generator[Event, None, Result]:
    """Run `job` as a part of `item`, which has `total` tiles, `before` of them done already."""
    while True:
        try:
            event = next(job)
        except StopIteration as end:
            result: Result = end.value
            return result
        if isinstance(event, TileDone):
            yield TileDone(before + event.done, event.total if total is None else total, item)
        else:
            yield event
