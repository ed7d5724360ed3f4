"""Segment an image of any size in bounded memory: block by block onto disk, then joined into one result.

Reading, the network, and decoding with writing overlap: each has a thread of its own. What a block has found is kept
(`work`), so that a run goes on where it was stopped. The labels are those of `segment.run`, which sees whole frames,
but for lines between touching cells in pieces of foreground larger than what a block sees (docs/architecture.md).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from napari_unetseg.images import normalize
from napari_unetseg.images.blocks import Block, within
from napari_unetseg.images.budget import readable
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.tiles import volume
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.blocks import part_of
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, Note, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.assemble import assemble
from napari_unetseg.tasks.assemble_classes import arrays_of_classes, assemble_classes
from napari_unetseg.tasks.block_file import arrays_of
from napari_unetseg.tasks.frames import (
    Frame,
    frame_shape,
    measure_frame,
    measure_labels,
    measure_stack,
    read_window,
)
from napari_unetseg.tasks.jobs import as_part
from napari_unetseg.tasks.layout import NETWORK_SHARE, Layout
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.scaled import ScaledPredictor, plan_block
from napari_unetseg.tasks.work import Work

Result = TypeVar("Result")

SAMPLE = 8
"""Blocks by which the work is judged."""
WASTEFUL = 4
"""Times a pixel is read, from which more memory is advised."""
ASSEMBLING = 0.02
"""The share of the progress bar that is left for what comes after the blocks."""
WAIT = 0.5  # seconds between two signs of life while a block is decoded


@dataclass(frozen=True, slots=True)
class _Read:
    """A block's pixels: as they are in its window, and stretched."""

    raw: np.ndarray
    image: np.ndarray


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every block."""

    source: ImageSource
    model: Model
    predictor: Predictor | ScaledPredictor
    decoding: DecodingConfig
    channels: Sequence[int]
    memory: int
    _tiles: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    def plan(self, block: Block) -> Any:
        """Return the tiles of a block, of the kind that the predictor takes."""
        ndim = self.model.card.network.ndim
        on_cpu = self.predictor.device.type == "cpu"
        budget = self.memory // NETWORK_SHARE[ndim] if on_cpu else None  # a GPU has memory of its own
        return plan_block(self.predictor, block, frame=frame_shape(self.source, ndim=ndim), budget=budget)

    def tiles_of(self, block: Block) -> int:
        """Return the number of tiles of a block; most blocks are alike."""
        key = kind_of(block, is_scaled=isinstance(self.predictor, ScaledPredictor))
        known = self._tiles.get(key)
        if known is None:
            known = self._tiles[key] = len(self.plan(block).tiles)
        return known


def kind_of(block: Block, *, is_scaled: bool) -> str:
    """Return what decides on the tiles of a block; most blocks are alike, unless the grid of tiles is scaled."""
    if is_scaled:
        return str(block.seen)
    return str(([side.stop - side.start for side in block.window], within(block.seen, block.window)))


def run(
    job: Job,
    *,
    work: Work,
    layout: Layout,
    open_writer: Callable[[], LabelWriter],
    add_rows: Callable[[pd.DataFrame], None],
) -> Generator[Event, None, int]:
    """Do the blocks that `work` lacks, yielding at every tile, and write the result of all.

    Returns the number of objects; their rows go to `add_rows` as they come.
    """
    todo = missing(work, layout)
    yield from compute(job, work=work, layout=layout, todo=todo)
    tiles = tiles_of(job, layout, todo)
    steps = joining_steps(tiles)
    with open_writer() as writer:
        known: dict[str, Any] = {"layout": layout, "source": job.source, "writer": writer, "add_rows": add_rows}
        if job.model.card.target.is_semantic:
            joining = assemble_classes(work, card=job.model.card, steps=steps // 2, **known)
        else:
            joining = assemble(work, model=job.model, decoding=job.decoding, steps=steps // 2, **known)
        objects = yield from as_part(joining, item=job.source.name, before=tiles, total=tiles + steps)
        for share in writer.complete():
            yield TileDone(tiles + round(steps * (1 + share) / 2), tiles + steps, job.source.name)
    return objects


def missing(work: Work, layout: Layout) -> list[int]:
    """Return the numbers of the blocks that are not done, or damaged since."""
    done = work.done
    return [number for number in range(len(layout)) if number not in done]


def compute(job: Job, *, work: Work, layout: Layout, todo: Sequence[int]) -> Generator[Event, None, None]:
    """Segment the blocks with the numbers `todo`, yielding at every tile."""
    if todo:
        total = tiles_of(job, layout, todo)
        contrast = yield from measure_contrast(job, work=work, layout=layout)
        yield from predict_blocks(
            job, work=work, layout=layout, todo=todo, contrast=contrast, total=total + joining_steps(total)
        )


def tiles_of(job: Job, layout: Layout, numbers: Sequence[int]) -> int:
    """Return the number of tiles of these blocks."""
    return sum(job.tiles_of(layout.at(number)[1]) for number in numbers)


def joining_steps(tiles: int) -> int:
    """Return the steps of the progress bar that are left for joining the blocks and for smaller levels, half each."""
    return 2 * max(1, round(ASSEMBLING / 2 * tiles))


def predict_blocks(
    job: Job,
    *,
    work: Work,
    layout: Layout,
    todo: Sequence[int],
    contrast: Contrast,
    total: int,
) -> Generator[Event, None, None]:
    """Predict block after block, while the next one is read and the last one decoded and kept."""
    name, before = job.source.name, 0
    with ThreadPoolExecutor(1, "unetseg read") as readers, ThreadPoolExecutor(1, "unetseg decode") as decoders:

        def read(number: int) -> Future[_Read]:
            frame, block = layout.at(number)
            return readers.submit(_read, job, frame, block, contrast)

        reading, keeping = read(todo[0]), None
        try:
            for number, following in zip(todo, [*todo[1:], None], strict=True):
                pixels = yield from _patiently(reading, TileDone(before, total, name))
                if following is not None:
                    reading = read(following)
                plan = job.plan(layout.at(number)[1])
                maps = yield from as_part(
                    job.predictor.predict(pixels.image, plan=plan), item=name, before=before, total=total
                )
                before += len(plan.tiles)
                if keeping is not None:
                    yield from _patiently(keeping, TileDone(before, total, name))
                keeping = decoders.submit(_keep, job, work, layout, number, pixels.raw, maps)
            if keeping is not None:
                yield from _patiently(keeping, TileDone(before, total, name))
        finally:
            reading.cancel()


def _patiently(future: Future[Result], event: Event) -> Generator[Event, None, Result]:
    """Return a future's result, giving a sign of life while it is waited for."""
    while True:
        try:
            return future.result(timeout=WAIT)
        except TimeoutError:
            if future.done():  # it has ended meanwhile, or ended with a timeout of its own
                return future.result()
            yield event


class Contrast:
    """How intensities are stretched: alike in the whole stack, or frame by frame."""

    def __init__(self, job: Job, whole: Stretch | None) -> None:
        self._job, self._whole = job, whole
        self._last: tuple[Frame, Stretch] | None = None

    def of(self, frame: Frame, raw: np.ndarray, *, is_all: bool) -> Stretch:
        """Return the contrast of a frame, of which `raw` was read and `is_all` there is."""
        if self._whole is not None:
            return self._whole
        if self._last is None or self._last[0] != frame:
            job, config = self._job, self._job.model.card.normalization
            if is_all and job.source.context is None:
                stretch = normalize.measure([raw], config=config)
            else:
                stretch = measure_frame(job.source, frame, channels=job.channels, config=config)
            self._last = frame, stretch
        return self._last[1]


def measure_contrast(job: Job, *, work: Work, layout: Layout) -> Generator[Event, None, Contrast]:
    """Measure the contrast of a stack, or take it from the run that goes on."""
    note = work.read_note("contrast")
    if note is not None:
        return Contrast(job, Stretch(low=tuple(note["low"]), high=tuple(note["high"])))
    whole = yield from measure_stack(job.source, frames=layout.frames, channels=job.channels, model=job.model)
    if whole is not None:
        work.write_note("contrast", {"low": whole.low, "high": whole.high})
    return Contrast(job, whole)


def advice(job: Job, layout: Layout) -> Iterator[Note]:
    """Say into how many blocks a frame is cut, and where memory is so short that context takes most of the time."""
    name, count = job.source.name, len(layout.blocks)
    if count == 1:
        return
    yield Note(f"{name}: {' x '.join(map(str, layout.shape))} pixels are cut into {counted(count, 'block')}")
    judged = layout.blocks[:SAMPLE]
    read = sum(volume(tile.read) for block in judged for tile in job.plan(block).tiles)
    cores = sum(volume(block.core) for block in judged)
    if read > WASTEFUL * cores:
        yield Note(
            f"{name}: within {readable(job.memory)} of memory the network reads every pixel {read / cores:.0f} times, "
            "as context of others; more memory (--memory) makes it faster"
        )


def _read(job: Job, frame: Frame, block: Block, contrast: Contrast) -> _Read:
    raw = read_window(job.source, frame, window=block.window, channels=job.channels)
    is_all = raw.shape[1:] == frame_shape(job.source, ndim=job.model.card.network.ndim)
    return _Read(raw, normalize.apply(raw, stretch=contrast.of(frame, raw, is_all=is_all)))


def _keep(job: Job, work: Work, layout: Layout, number: int, raw: np.ndarray, maps: np.ndarray) -> None:
    """Turn the maps of what a block sees into the objects, or the classes, of its core, and keep them."""
    frame, block = layout.at(number)
    sides, target = block.open_sides(layout.shape), job.model.card.target
    core = within(block.core, block.seen)
    pixels = raw[(slice(None), *within(block.core, block.window))]
    unusable = int(pixels.size - np.isfinite(pixels).sum()) if pixels.dtype.kind == "f" else 0
    inner = maps[(slice(None), *core)]
    if target.is_semantic:
        labels = decode(inner, config=job.decoding, target=target)
        work.keep(number, arrays_of_classes(labels, count=target.class_count, unusable=unusable))
        return
    labels = decode(maps, config=job.decoding, target=target, open_sides=sides)
    start = tuple(side.start for side in block.seen)
    part = part_of(labels, core=core, start=start, shape=layout.shape, open_sides=sides)
    table = measure_labels(part.labels, pixels, inner, frame=frame, source=job.source, channels=job.channels)
    for letter, side in zip("zyx"[-len(block.core) :], block.core, strict=True):
        for column in (f"centroid_{letter}_px", f"bbox_{letter}_min_px", f"bbox_{letter}_max_px"):
            table[column] += side.start
    work.keep(number, dict(arrays_of(part, table, unusable=unusable)))
