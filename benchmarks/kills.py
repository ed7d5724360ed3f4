"""Kill runs of the command line at random moments, and check what the runs that go on make of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

POLL = 0.005  # seconds
AHEAD = 9
"""A run that is to be killed at work has done less than so many blocks by then."""
AT_THE_END = 0.5
"""How often a run that has nothing left but joining is killed once more."""
MOMENTS = {"start-up": 0.2, "blocks": 0.5, "joining": 0.3}
"""How often a kill is meant for each part of a run."""


@dataclass(slots=True)
class Lines:
    """The lines that runs write of the blocks they have done, kept when a run that ends removes its folder."""

    out: Path
    folder: Path
    known: set[str] = field(default_factory=set)

    def blocks(self) -> Counter[int]:
        """Return how often each block was done."""
        for path in self.out.glob(".*.work/done.*.jsonl"):
            if path.name not in self.known:
                self.known.add(path.name)
                os.link(path, self.folder / path.name)  # of what is written later too
        counts: Counter[int] = Counter()
        for path in self.folder.glob("done.*.jsonl"):
            for line in path.read_bytes().splitlines():
                try:
                    counts[int(json.loads(line)["block"])] += 1
                except (ValueError, KeyError, TypeError):
                    continue  # empty, or cut by a kill: the block was not done
        return counts


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the parts of an unbroken run take, in seconds."""

    start: float
    block: float
    joining: float


def kill_and_resume(command: Callable[[Path], list[str]], *, folder: Path, blocks: int, kills: int) -> dict[str, Any]:
    """Kill `kills` runs of `command(output)`; begin anew whenever one comes to its end before its kill.

    `done again` counts blocks for which there are two complete lines: they were finished, and computed once more.
    """
    rng, began = np.random.default_rng(0), time.monotonic()
    whole = folder / "whole"
    pace = _unbroken(command(whole), whole, folder, blocks=blocks)
    landed, again, ends, same = Counter[str](), 0, 0, 0
    while True:
        out, kept = folder / "killed", folder / f"lines{ends}"
        kept.mkdir()
        lines = Lines(out, kept)
        while True:
            moment = None if landed.total() >= kills else _draw(rng, lines.blocks().total(), blocks, pace)
            part = _run(command(out), lines, moment, blocks=blocks)
            if part is None:
                break
            landed[part] += 1
        again += sum(count - 1 for count in lines.blocks().values())
        ends, same = ends + 1, same + (digest(out) == digest(whole))
        shutil.rmtree(out)
        if landed.total() >= kills:
            break
        print(
            f"{landed.total()} kills ({dict(landed)}), {ends} results, {same} the same, {again} blocks done again",
            flush=True,
        )
    return {
        "kills": landed.total(), "in": dict(landed), "blocks": blocks, "results": ends, "same bytes": same,
        "blocks done again": again, "minutes": (time.monotonic() - began) / 60,
    }  # fmt: skip


def digest(folder: Path) -> str:
    """Return a hash over the names and bytes of all results."""
    total = hashlib.sha256()
    files = (path for result in folder.glob("stack_*") for path in (result, *result.rglob("*")) if path.is_file())
    for path in sorted(files):
        total.update(f"{path.relative_to(folder)}".encode() + path.read_bytes())
    return total.hexdigest()


def _unbroken(command: list[str], out: Path, folder: Path, *, blocks: int) -> Pace:
    """Run to the end, and time the parts."""
    kept = folder / "lines"
    kept.mkdir()
    lines, times, began = Lines(out, kept), dict[int, float](), time.monotonic()

    def note() -> bool:
        times.setdefault(lines.blocks().total(), time.monotonic() - began)
        return False

    _watch(command, note)
    total = time.monotonic() - began
    counts = lines.blocks()
    assert sorted(counts) == list(range(blocks)), f"{len(counts)} blocks were done, not {blocks}"
    first, last = min(at for count, at in times.items() if count), times.get(blocks, total)
    return Pace(first, max(POLL, (last - first) / blocks), max(POLL, total - last))


def _draw(rng: np.random.Generator, done: int, blocks: int, pace: Pace) -> tuple[int, float] | None:
    """Draw when to kill: once so many blocks are done, and so many seconds after that; where all are, not always."""
    if done >= blocks:
        return (blocks, float(rng.uniform(0, pace.start + 0.7 * pace.joining))) if rng.random() < AT_THE_END else None
    match rng.choice(list(MOMENTS), p=list(MOMENTS.values())):
        case "start-up":
            return done, float(rng.uniform(0, pace.start))
        case "blocks":
            return min(blocks, done + int(rng.integers(1, AHEAD))), float(rng.uniform(0, pace.block))
        case _:
            return blocks, float(rng.uniform(0, 0.7 * pace.joining))


def _run(command: list[str], lines: Lines, moment: tuple[int, float] | None, *, blocks: int) -> str | None:
    """Run until `moment`, and return the part of the run that was killed; none where the run came to its end."""
    before, reached = lines.blocks().total(), None

    def is_due() -> bool:
        nonlocal reached
        if moment is None:
            return lines.blocks().total() < 0  # reading takes notice of new lines
        if reached is None and lines.blocks().total() >= moment[0]:
            reached = time.monotonic()
        return reached is not None and time.monotonic() - reached >= moment[1]

    if not _watch(command, is_due):
        return None
    done = lines.blocks().total()
    if done >= blocks > before:
        return "joining"
    if done == before:
        return "joining, resumed" if before >= blocks else "start-up"
    return "blocks"


def _watch(command: list[str], is_due: Callable[[], bool]) -> bool:
    """Run a command; kill it as soon as `is_due`, and say so."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        if is_due():
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            return process.returncode == -signal.SIGKILL
        time.sleep(POLL)
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-2000:]
    return False
