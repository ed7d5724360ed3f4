"""Make one result of blocks: objects get one id wherever they lie, in the order of a raster scan of each frame."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.blocks import Faces, join_blocks
from napari_unetseg.labels.join import continued_ids
from napari_unetseg.labels.measure import merge_parts, merge_planes
from napari_unetseg.labels.overlap import add_overlaps, count_overlaps
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.block_file import faces_of, summary_of
from napari_unetseg.tasks.findings import overgrown
from napari_unetseg.tasks.frames import index_of
from napari_unetseg.tasks.layout import Layout
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.numbering import MAX_ID
from napari_unetseg.tasks.work import Work

Tables = list[np.ndarray]
"""For each block of a frame, the final id of each of its own ids."""

FACES = 64
"""Blocks whose faces are held at the same time; those of all blocks of a large volume would be many GiB."""


def assemble(
    work: Work,
    *,
    layout: Layout,
    source: ImageSource,
    model: Model,
    decoding: DecodingConfig,
    writer: LabelWriter,
    add_rows: Callable[[pd.DataFrame], None],
    steps: int,
) -> Generator[Event, None, int]:
    """Write the labels of all blocks, telling so in `steps`; return the number of objects.

    A row for each of them goes to `add_rows`, frame by frame; of linked planes, volume by volume.
    """
    axes = "zyx"[-len(layout.shape) :]
    is_linked = decoding.link_slices and model.card.network.ndim == 2
    is_merged = is_linked and source.sizes["Z"] > 1
    objects, unusable, told, rows = 0, 0, "", []
    previous: Tables | None = None
    with writing(work, writer) as write:
        for index, frame in enumerate(layout.frames):
            numbers = layout.numbers(index)
            parts = []
            for number in numbers:
                parts.append(summary_of(work.load(number)))
                yield TileDone(steps * numbers.start // len(layout), steps)  # a large plane has hundreds of them
            unusable += sum(int(part["unusable"]) for part in parts)
            faces = _faces(work, numbers)
            tables, count, table = _frame(
                parts, faces=faces, layout=layout, decoding=decoding, axes=axes, scale=source.scale
            )
            if is_linked and previous is not None and frame.z:
                ids, objects = _link(work, numbers, tables, previous, decoding=decoding, objects=objects)
            else:
                ids = np.arange(count + 1) + np.where(np.arange(count + 1) > 0, objects, 0)
                objects += count
            if objects > MAX_ID:
                raise InputError(f"more than {MAX_ID} objects in one image; raise --min-size or segment it in parts")
            tables = [ids[table].astype(np.uint32) for table in tables]
            leading = index_of(source, frame)
            for number, block, table_of_block in zip(numbers, layout.blocks, tables, strict=True):
                write(number, (*leading, *block.core), table_of_block)
                yield TileDone(steps * (number + 1) // len(layout), steps)
            told = told or overgrown(table, shape=layout.shape)
            rows.append(table.assign(label=ids[table["label"].to_numpy()]))
            if not is_merged:
                add_rows(rows.pop())
            elif frame.z == source.sizes["Z"] - 1:
                add_rows(merge_planes(pd.concat(rows, ignore_index=True), scale=source.scale))
                rows.clear()
            previous = tables if is_linked else None
    if unusable:
        yield Note(f"{source.name}: {counted(unusable, 'pixel')} not finite (NaN or infinite), taken for dark")
    if told:
        yield Note(f"{source.name}: {told}")
    return objects


@contextmanager
def writing(work: Work, writer: LabelWriter) -> Iterator[Callable[[int, tuple[int | slice, ...], np.ndarray], None]]:
    """Give what writes a block at a place, with the final ids of its own; it returns while that is being written."""
    with ThreadPoolExecutor(1, "unetseg write") as threads:
        last: Future[None] | None = None

        def write(number: int, place: tuple[int | slice, ...], ids: np.ndarray) -> None:
            nonlocal last
            if last is not None:
                last.result()
            last = threads.submit(lambda: writer.write(place, ids[work.load(number)["labels"]]))

        yield write
        if last is not None:
            last.result()


def _frame(
    parts: list[dict[str, Any]],
    *,
    faces: Faces,
    layout: Layout,
    decoding: DecodingConfig,
    axes: str,
    scale: Mapping[str, float],
) -> tuple[Tables, int, pd.DataFrame]:
    """Give the objects of a frame the numbers 1..n: return the tables of its blocks, n, and a row for each object."""
    if len(parts) == 1:
        count = len(parts[0]["keys"]) - 1
        return [np.arange(count + 1)], count, parts[0]["table"]
    joined = join_blocks(faces, neighbours=_neighbours(layout))
    keys = [_joined(part["keys"], joined) for part in parts]
    own = [part["table"].assign(label=one[part["table"]["label"]]) for part, one in zip(parts, keys, strict=True)]
    table = merge_parts(pd.concat(own, ignore_index=True), axes=axes, scale=scale)
    was_cut = np.concatenate([one[part["is_cut"]] for part, one in zip(parts, keys, strict=True)])
    is_kept = _is_large_and_sure(table, decoding=decoding) | ~table["label"].isin(was_cut)
    firsts = pd.Series(np.concatenate([part["first"] for part in parts])).groupby(np.concatenate(keys)).min()
    table = table[is_kept].assign(first=lambda rows: firsts.loc[rows["label"]].to_numpy())
    table = table.sort_values("first", ignore_index=True).drop(columns="first")
    numbers = pd.Series(np.arange(1, len(table) + 1), index=table["label"])
    tables = [numbers.reindex(one, fill_value=0).to_numpy() for one in keys]
    return tables, len(table), table.assign(label=numbers.to_numpy())


def _faces(work: Work, numbers: range) -> Faces:
    """Return what gives the faces of a block of a frame, read when they are asked for."""
    return lru_cache(maxsize=FACES)(lambda index: faces_of(work.load(numbers[index])))


def _joined(keys: np.ndarray, joined: Mapping[int, int]) -> np.ndarray:
    """Return the keys that objects go by once they are joined."""
    if not joined:
        return keys
    return np.array([joined.get(int(key), int(key)) for key in keys], np.int64)


def _is_large_and_sure(table: pd.DataFrame, *, decoding: DecodingConfig) -> Any:
    """Tell which rows are of objects that decoding would have kept; what a block saw cut was not judged by it."""
    size = table["area_px"] if "area_px" in table else table["volume_px"]
    return (size >= decoding.min_size) & (table["confidence"] >= decoding.min_confidence)


def _neighbours(layout: Layout) -> list[tuple[int, int, int]]:
    """Return all pairs of blocks that share a side, with its axis."""
    starts = {tuple(side.start for side in block.core): number for number, block in enumerate(layout.blocks)}
    found = []
    for number, block in enumerate(layout.blocks):
        for axis, side in enumerate(block.core):
            beside = tuple(side.stop if other == axis else one.start for other, one in enumerate(block.core))
            if beside in starts:
                found.append((number, starts[beside], axis))
    return found


def _link(
    work: Work, numbers: range, tables: Tables, previous: Tables, *, decoding: DecodingConfig, objects: int
) -> tuple[np.ndarray, int]:
    """Return the id of each object of a plane: that of the one it continues in the plane before, or a new one."""
    overlaps = [
        count_overlaps(before[work.load(number - len(tables))["labels"]], table[work.load(number)["labels"]])
        for number, table, before in zip(numbers, tables, previous, strict=True)
    ]
    pairs = add_overlaps(overlaps)
    ids, following = continued_ids(pairs, overlap=decoding.link_overlap, next_id=objects + 1)
    of_object = np.zeros(int(max((table.max(initial=0) for table in tables), default=0)) + 1, np.int64)
    of_object[pairs.second_ids] = ids
    return of_object, following - 1
