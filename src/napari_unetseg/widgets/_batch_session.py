"""Segmenting many files beside the viewer: what is to be done, what is done, and the job that does it."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import Signal

from napari_unetseg.images.find import find_images
from napari_unetseg.images.results import Format, results_of
from napari_unetseg.images.zarr_store import name_inside
from napari_unetseg.schema.config import MemoryConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, ItemDone, Note, TileDone
from napari_unetseg.schema.words import counted, duration
from napari_unetseg.widgets._files import Opened, add_files, read_files, shown_as
from napari_unetseg.widgets._job import Task
from napari_unetseg.widgets._session import Session

State = Literal["waiting", "has result", "running", "done", "failed"]
Existing = Literal["skip", "overwrite"]
FINISHED: tuple[State, ...] = ("has result", "done")
_writing: dict[Path, BatchSession] = {}
"""Folders that results are written to now; two batches never share one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of the table; `notes` are what the run remarked on it."""

    path: Path
    state: State = "waiting"
    output: Path | None = None
    objects: int | None = None
    seconds: float | None = None
    error: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Which images (files, folders, patterns), and where their results go."""

    images: tuple[str, ...]
    folder: Path
    format: Format = "tiff"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the images are segmented; `decoding` none: as the model says."""

    model: Path
    axes: str | None = None
    channels: tuple[int, ...] | None = None
    tiling: TilingConfig | None = None
    decoding: DecodingConfig | None = None
    existing: Existing = "skip"
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    is_semantic: bool = False
    """Whether the model gives classes: then no objects are counted."""


class BatchSession(Session):
    """Lists images, runs the batch, opens results.

    Signals: `listed` (the rows are others, or there is a problem), `row_changed` (its number), `advanced` (share or
    words of the progress are others).
    """

    listed = Signal()
    row_changed = Signal(int)
    advanced = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__(viewer)
        self.rows: list[Row] = []
        self.inputs: Inputs | None = None
        self.settings: Settings | None = None
        self.problem: Exception | None = None
        self.began = 0.0
        self.ended = ""
        self._wanted: Inputs | None = None
        self._part = 0.0
        self.finder = self.new_job()
        self.opener = self.new_job()
        self.job.progressed.connect(self._on_progressed)
        self.job.succeeded.connect(self._on_succeeded)
        self.job.cancelled.connect(self._on_cancelled)
        self.job.finished.connect(self._on_finished)
        self.finder.succeeded.connect(self._on_found)
        self.finder.failed.connect(self._on_not_found)
        self.finder.finished.connect(self._on_finder_finished)
        self.opener.succeeded.connect(self._on_opened)

    def find(self, inputs: Inputs | None) -> None:
        """List the images of `inputs`, off the main thread; of several calls the last one counts."""
        self._wanted = inputs
        if self.job.is_running or self.finder.is_running:
            return
        if inputs is None:
            self._show([], inputs=None)
        else:
            self.finder.start(lambda: _find(inputs))

    def start(self, settings: Settings) -> bool:
        """Segment the listed images; say whether a run was started."""
        if self.inputs is None or not self.rows or self.job.is_running or self.finder.is_running:
            return False
        folder = self.inputs.folder.resolve()
        if folder in _writing:
            raise InputError(f"{folder}: another batch writes its results there; wait for it, or choose another folder")
        self.settings, self._part, self.began, self.ended = settings, 0.0, time.monotonic(), ""
        for number, row in enumerate(self.rows):
            is_kept = settings.existing == "skip" and row.state in FINISHED
            self._set(number, replace(row, state="has result") if is_kept else Row(row.path, output=row.output))
        _writing[folder] = self
        self._mark_running()
        return self.job.start(_segmentation([row.path for row in self.rows], inputs=self.inputs, settings=settings))

    def open(self, number: int) -> None:
        """Show a row's image with its labels as layers; labels that are shown already are selected."""
        row = self.rows[number]
        labels = row.output if row.state in FINISHED else None
        shown = None if labels is None or not labels.exists() else shown_as(self.viewer, labels)
        axes = None if self.settings is None else self.settings.axes
        if shown is not None:
            self.viewer.layers.selection.active = shown
        else:
            self.opener.start(lambda: read_files(row.path, labels, axes=axes))

    def to_do(self, existing: Existing) -> int:
        """Count the images that a run would segment."""
        return len(self.rows) - (self.count(*FINISHED) if existing == "skip" else 0)

    def count(self, *states: State) -> int:
        """Count the rows in these states."""
        return sum(row.state in states for row in self.rows)

    @property
    def fraction(self) -> float:
        """Share of the work that is done; images left out count for nothing."""
        return min(1.0, (self._ended_rows + self._part) / max(1, self._worked_rows))

    @property
    def detail(self) -> str:
        """Where the run is, in words."""
        return f"image {min(self._ended_rows + 1, self._worked_rows)} of {self._worked_rows}"

    @property
    def _ended_rows(self) -> int:
        return self.count("done", "failed")

    @property
    def _worked_rows(self) -> int:
        return len(self.rows) - self.count("has result")

    def _summary(self) -> str:
        counts = {"done": "done", "failed": "failed", "has result": "left out"}
        parts = [f"{self.count(state)} {word}" for state, word in counts.items() if self.count(state)]
        objects = sum(row.objects or 0 for row in self.rows if row.state == "done")
        has_objects = self.settings is None or not self.settings.is_semantic
        found = "" if not has_objects else f": {counted(objects, 'object')}"
        return f"{', '.join(parts)}{found} in {duration(time.monotonic() - self.began)}"

    def _on_progressed(self, event: Event) -> None:
        running = next((number for number, row in enumerate(self.rows) if row.state == "running"), None)
        match event:
            case TileDone():
                self._part = event.done / max(1, event.total)
            case Note() if running is not None:
                self._note(running, event.message)
            case ItemDone():
                self._part = 0.0
                self._finish_row(event)
            case _:
                return
        self._mark_running()
        self.advanced.emit()

    def _note(self, number: int, message: str) -> None:
        """Keep a remark on the running image; what is said of others (left out, made before) their state shows."""
        row = self.rows[number]
        name, _, text = message.partition(": ")
        if name == name_inside(row.path):
            self._set(number, replace(row, notes=(*row.notes, text)))

    def _mark_running(self) -> None:
        """Mark the first row that waits, unless one runs: files are segmented in their order."""
        states = [row.state for row in self.rows]
        if "running" not in states and "waiting" in states:
            number = states.index("waiting")
            self._set(number, replace(self.rows[number], state="running"))

    def _finish_row(self, event: ItemDone) -> None:
        number = event.done - 1
        row = self.rows[number]
        if event.error is not None:
            row = replace(row, state="failed", error=event.error, seconds=event.seconds)
        elif event.seconds == 0:  # nothing was computed: the result of an earlier run was kept
            row = replace(row, state="has result", output=event.output)
        else:
            row = replace(
                row, state="done", output=event.output, objects=event.objects, seconds=event.seconds, error=""
            )
        self._set(number, row)

    def _on_succeeded(self, _: object) -> None:
        self.ended = self._summary()

    def _on_cancelled(self) -> None:
        self.ended = f"Stopped. {self._summary()}. What is done is kept."

    def _on_finished(self) -> None:
        for folder in [folder for folder, session in _writing.items() if session is self]:
            del _writing[folder]
        for number, row in enumerate(self.rows):
            if row.state == "running":
                self._set(number, replace(row, state="waiting"))
        self.advanced.emit()
        if self._wanted != self.inputs:
            self.find(self._wanted)

    def _on_found(self, found: tuple[Inputs, list[Row]]) -> None:
        inputs, rows = found
        self._show(rows, inputs=inputs)

    def _on_not_found(self, problem: Exception) -> None:
        self._show([], inputs=None, problem=problem)

    def _on_finder_finished(self) -> None:
        if self._wanted is not None and self.problem is None and self._wanted != self.inputs:
            self.find(self._wanted)

    def _show(self, rows: Sequence[Row], *, inputs: Inputs | None, problem: Exception | None = None) -> None:
        self.rows, self.inputs, self.problem, self.ended = list(rows), inputs, problem, ""
        self.listed.emit()

    def _set(self, number: int, row: Row) -> None:
        self.rows[number] = row
        self.row_changed.emit(number)

    def _on_opened(self, opened: Opened) -> None:
        if self.viewer is not None:
            add_files(self.viewer, opened)


def _find(inputs: Inputs) -> Generator[Event, None, tuple[Inputs, list[Row]]]:
    yield Note("looking for images")
    paths = find_images(inputs.images)
    places = results_of(paths, folder=inputs.folder, format=inputs.format)
    rows = [
        Row(path, "has result" if places[path].is_complete else "waiting", output=places[path].labels) for path in paths
    ]
    return inputs, rows


def _segmentation(paths: Sequence[Path], *, inputs: Inputs, settings: Settings) -> Task:
    """Return the task that the command line runs too."""

    def task() -> Generator[Event, None, list[ItemDone]]:
        yield TileDone(0, 1)  # torch and the model take a moment
        from napari_unetseg.tasks.batch import segment_files
        from napari_unetseg.tasks.device import choose_device
        from napari_unetseg.tasks.lattice import lattice_of
        from napari_unetseg.tasks.model import load_model

        tiling = settings.tiling or TilingConfig()
        choose_device(tiling.device)
        model = load_model(settings.model)
        lattice_of(model.network, tile=tiling.tile)
        job = segment_files(
            paths,
            folder=inputs.folder,
            model=model,
            axes=settings.axes,
            channels=settings.channels,
            tiling=tiling,
            decoding=settings.decoding,
            format=inputs.format,
            existing=settings.existing,
            memory=settings.memory.bytes,
        )
        return (yield from job)

    return task
