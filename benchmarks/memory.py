"""Measure what memory something takes at most, in a process of its own (Linux)."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


def over_idle(prepare: Callable[..., Callable[[], Any]], *arguments: Any) -> float:
    """Return the most MiB that the function returned by `prepare(*arguments)` takes while it runs.

    What `prepare` has taken itself (imports, a model, an image) does not count. Both run in a new process.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (prepare, arguments))


def _measure(prepare: Callable[..., Callable[[], Any]], arguments: tuple[Any, ...]) -> float:
    run = prepare(*arguments)
    CLEAR.write_text(RESET_PEAK)
    before = _kibibytes("VmRSS")
    run()
    return (_kibibytes("VmHWM") - before) / 1024


def _kibibytes(name: str) -> float:
    lines = (line.split() for line in STATUS.read_text().splitlines())
    return next(float(words[1]) for words in lines if words[0] == f"{name}:")
