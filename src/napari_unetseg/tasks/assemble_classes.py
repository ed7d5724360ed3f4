"""Make one result of blocks of classes: nothing is joined or renumbered, each is written as it is."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
import pandas as pd

from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.classes import count_pixels
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.events import Event, Note, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.assemble import writing
from napari_unetseg.tasks.class_tally import ClassTally
from napari_unetseg.tasks.frames import index_of
from napari_unetseg.tasks.layout import Layout
from napari_unetseg.tasks.work import Work


def arrays_of_classes(labels: np.ndarray, *, count: int, unusable: int) -> dict[str, np.ndarray]:
    """Return by name what is kept of a block: its class ids, and how many pixels each class has."""
    return {"labels": labels, "counts": count_pixels(labels, count=count), "unusable": np.array(unusable)}


def assemble_classes(
    work: Work,
    *,
    layout: Layout,
    source: ImageSource,
    card: ModelCard,
    writer: LabelWriter,
    add_rows: Callable[[pd.DataFrame], None],
    steps: int,
) -> Generator[Event, None, int]:
    """Write the class ids of all blocks, telling so in `steps`; return the number of classes found.

    The rows of a time point go to `add_rows` once it is complete.
    """
    tally, unusable = ClassTally(card, source), 0
    same = np.arange(card.target.class_count, dtype=np.uint32)
    with writing(work, writer) as write:
        for index, frame in enumerate(layout.frames):
            leading = index_of(source, frame)
            for number, block in zip(layout.numbers(index), layout.blocks, strict=True):
                kept = work.load(number)
                tally.add(kept["counts"], t=frame.t)
                unusable += int(kept["unusable"])
                write(number, (*leading, *block.core), same)
                yield TileDone(steps * (number + 1) // len(layout), steps)
            if frame.z is None or frame.z == source.sizes["Z"] - 1:
                add_rows(tally.rows(frame.t))
    if unusable:
        yield Note(f"{source.name}: {counted(unusable, 'pixel')} not finite (NaN or infinite), taken for dark")
    return tally.found
