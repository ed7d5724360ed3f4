"""What the Segment dock runs for an image larger than memory: block by block onto disk, and opening what is there."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.widgets._job import Task
from napari_unetseg.widgets._segment_disk import ResultOnDisk
from napari_unetseg.widgets._segment_tasks import Loaded, Order


@dataclass(frozen=True)
class Opened:
    """What is told of a result that was there, or was made."""

    objects: int
    table: Any
    decoding: DecodingConfig


def disk_task(order: Order, *, loaded: Loaded, result: ResultOnDisk) -> Task:
    """Return the task of a run, or of opening; the levels of the file are put into `result`."""
    assert order.place is not None
    place = order.place

    def task() -> Generator[Event, None, Any]:
        yield Note("")
        if not order.opens:
            yield from _segment(order, loaded=loaded)
        done = _open(order)
        from napari_unetseg.images.display import label_picture

        levels = list(label_picture(place.labels, limit=0).levels)
        if len(levels) == 1:  # napari would take it for an array that can be edited
            levels.append(levels[0][..., ::2, ::2])
        result.levels = levels
        return done

    return task


def _segment(order: Order, *, loaded: Loaded) -> Generator[Event, None, None]:
    from napari_unetseg.tasks.layout import default_memory
    from napari_unetseg.tasks.onto_disk import facts_of, segment_onto_disk
    from napari_unetseg.tasks.segment_file import FileJob

    model = loaded.model(order.model)
    predictor = loaded.predictor(order)
    yield Note("")
    job = FileJob(
        model=model,
        axes=order.source.axes.letters,
        channels=order.channels,
        tiling=order.tiling,
        decoding=order.decoding,
        format="zarr",
        memory=order.memory.bytes or default_memory(ndim=order.ndim),
        predictor=predictor,
        resume=True,
        shard=None,
        cluster=None,
    )
    facts = facts_of(order.file, order.region)
    yield from segment_onto_disk(order.part(), place=order.place, job=job, facts=facts, may_replace=order.may_replace)


def _open(order: Order) -> Opened:
    """Read the table of a result; one without is shown too."""
    import pandas as pd

    table = pd.read_csv(order.place.table) if order.place.table.exists() else None
    if table is not None and order.card.target.is_semantic:
        sizes = table.filter(regex="^(area|volume)_px$").iloc[:, 0]
        return Opened(table.loc[(table["label"] > 0) & (sizes > 0), "label"].nunique(), table, order.decoding)
    return Opened(0 if table is None else len(table), table, order.decoding)
