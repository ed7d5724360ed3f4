"""Images of a viewer that are larger than memory: read piece by piece, nothing by accident."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.tasks.test_blockwise import spots
from tests.tasks.test_segment import make_model

from napari_unetseg.images.display import label_picture
from napari_unetseg.images.ngff import zarr
from napari_unetseg.images.read import from_array, read_labels
from napari_unetseg.images.results import results_of
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.errors import InputError, JobError
from napari_unetseg.schema.events import Note, TileDone
from napari_unetseg.tasks import layout, segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.onto_disk import facts_of, identity_of, segment_onto_disk
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.segment_file import FileJob
from napari_unetseg.tasks.work import Work, folder_of

SMALL = 2**20
"""Bytes in which a block sees about 80 x 80 pixels."""


class Recorder:
    """A lazy array that notes the shape of each piece that is read."""

    def __init__(self, pixels: np.ndarray) -> None:
        self._pixels = pixels
        self.shape, self.dtype, self.ndim = pixels.shape, pixels.dtype, pixels.ndim
        self.read: list[tuple[int, ...]] = []

    def __getitem__(self, index: Any) -> np.ndarray:
        piece = self._pixels[index]
        self.read.append(piece.shape)
        return piece


@pytest.fixture(autouse=True)
def near(monkeypatch):
    """Blocks look 16 px beyond their core, so that small images have many."""
    monkeypatch.setattr(layout, "margin_of", lambda _model: 16)


def place_in(folder: Path) -> Any:
    (place,) = results_of([Path("cells.zarr")], folder=folder, format="zarr").values()
    return place


def job_of(model: Any, *, axes: str, memory: int = SMALL, **changes: Any) -> FileJob:
    tiling = TilingConfig(tile=64, precision="float32")
    predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
    decoding = model.card.decoding.replace(**changes)
    return FileJob(model, axes, (0,), tiling, decoding, "zarr", memory, predictor, True, None, None)


def run(image: Any, folder: Path, *, model: Any = None, axes: str = "YX", facts: Any = None, **options: Any) -> Any:
    may_replace = options.pop("may_replace", False)
    job = job_of(model or make_model(), axes=axes, **options)
    source = from_array(image, axes=axes, name="cells")
    return segment_onto_disk(source, place=place_in(folder), job=job, facts=facts or {}, may_replace=may_replace)


def in_memory(image: np.ndarray, *, model: Any, axes: str) -> Any:
    tiling = TilingConfig(precision="float32")
    return finish(segment.run(from_array(image, axes=axes), model=model, tiling=tiling))


@pytest.mark.parametrize(
    ("axes", "shape", "options"),
    [
        ("YX", (130, 201), {}),
        ("ZYX", (3, 130, 101), {}),
        ("ZYX", (3, 130, 101), {"link": True}),
        ("TZYX", (2, 2, 90, 101), {"link": True}),
        ("TYX", (2, 130, 101), {}),
        ("ZYX", (40, 72, 70), {"ndim": 3}),
    ],
)
def test_the_labels_and_rows_are_those_of_a_run_in_memory(tmp_path, axes, shape, options) -> None:
    image, model = spots(*shape), make_model(**options)
    memory = SMALL if model.card.network.ndim == 2 else 36 * SMALL
    objects = finish(run(image, tmp_path, model=model, axes=axes, memory=memory))
    whole = in_memory(image, model=model, axes=axes)
    np.testing.assert_array_equal(read_labels(place_in(tmp_path).labels), whole.labels)
    assert objects == whole.objects > 10
    table = pd.read_csv(place_in(tmp_path).table)
    pd.testing.assert_frame_equal(table, whole.table, check_dtype=False, rtol=1e-6)
    assert not folder_of(place_in(tmp_path).labels).exists()


def test_never_more_than_a_block_is_read_at_once(tmp_path) -> None:
    image = Recorder(spots(2, 150, 230))
    finish(run(image, tmp_path, axes="ZYX"))
    pieces = [shape for shape in image.read if max(shape) < 150]  # the contrast is measured in bands of rows
    assert max(np.prod(shape) for shape in pieces) < 100 * 100
    assert all(shape[0] == 1 for shape in image.read)


def test_large_labels_have_smaller_levels_which_are_made_in_steps(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("napari_unetseg.images.ngff._COARSEST", 64)
    monkeypatch.setattr("napari_unetseg.images.ngff._CHUNK", 64)
    events = list(run(spots(130, 201), tmp_path))
    shares = [event.done / event.total for event in events if isinstance(event, TileDone)]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    levels = label_picture(place_in(tmp_path).labels, limit=0).levels
    assert [level.shape for level in levels] == [(130, 201), (65, 101), (33, 51)]
    np.testing.assert_array_equal(levels[2], np.asarray(levels[0])[::4, ::4])


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch) -> None:
    kept: list[int] = []
    keep = Work.keep
    monkeypatch.setattr(Work, "keep", lambda self, number, arrays: (kept.append(number), keep(self, number, arrays)))
    image, model = spots(130, 201), make_model()
    job = run(image, tmp_path, model=model)
    while len(kept) < 2:
        next(job)
    job.close()
    first = len(kept)
    assert not place_in(tmp_path).is_begun
    finish(run(image, tmp_path, model=model, memory=2 * SMALL))  # which would cut other blocks
    np.testing.assert_array_equal(
        read_labels(place_in(tmp_path).labels), in_memory(image, model=model, axes="YX").labels
    )
    assert sorted(kept) == list(range(len(kept)))
    assert len(kept) > first


@pytest.mark.parametrize(("before", "now", "is_told"), [(2 * SMALL, SMALL, True), (SMALL, 2 * SMALL, False)])
def test_a_run_that_goes_on_with_larger_blocks_than_fit_says_so(tmp_path, before, now, is_told) -> None:
    image = spots(130, 201)
    job = run(image, tmp_path, memory=before)
    while not any(folder_of(place_in(tmp_path).labels).glob("*.zst")):
        next(job)
    job.close()
    told = [event.message for event in run(image, tmp_path, memory=now) if isinstance(event, Note)]
    assert any("begun with more memory" in text for text in told) == is_told


def test_what_is_there_is_replaced_only_where_one_says_so(tmp_path) -> None:
    finish(run(spots(130, 101), tmp_path))
    before = read_labels(place_in(tmp_path).labels)
    with pytest.raises(InputError, match="there is a result already"):
        finish(run(spots(130, 101), tmp_path))
    other = spots(130, 101, seed=1)
    finish(run(other, tmp_path, may_replace=True))
    after = read_labels(place_in(tmp_path).labels)
    assert (before != after).any()
    np.testing.assert_array_equal(after > 0, other > 500)


@pytest.mark.parametrize("change", ["image", "settings", "facts"])
def test_an_unfinished_run_of_something_else_is_replaced_only_where_one_says_so(tmp_path, change) -> None:
    image, other = spots(130, 101), spots(130, 101, seed=1)
    job = run(image, tmp_path)
    next(event for event in job if isinstance(event, TileDone) and event.done > 8)
    job.close()
    now = {"image": {}, "settings": {"min_size": 40}, "facts": {"facts": {"file": "b"}}}[change]
    pixels = other if change == "image" else image
    with pytest.raises(InputError, match="image has changed" if change != "settings" else "min_size"):
        finish(run(pixels, tmp_path, **now))
    finish(run(pixels, tmp_path, may_replace=True, **now))
    assert place_in(tmp_path).is_complete


def test_a_full_disk_is_said_and_what_is_done_is_kept(tmp_path, monkeypatch) -> None:
    image = spots(130, 101)

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(zarr.Array, "__setitem__", fail)
        with pytest.raises(JobError, match=r"cells_labels.zarr.*No space left.*make room"):
            finish(run(image, tmp_path))
    assert not place_in(tmp_path).labels.exists()
    again = Recorder(image)
    finish(run(again, tmp_path))
    assert place_in(tmp_path).is_complete
    assert all(shape == (64, 64) for shape in again.read)  # all blocks were done, the image is known by its samples


def test_an_image_is_known_by_pixels_type_file_and_region(tmp_path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"1")
    image = spots(2, 300, 200)

    def hash_of(pixels: np.ndarray, region: Any = None, file: Path | None = path) -> str:
        return finish(identity_of(from_array(pixels, axes="ZYX"), facts=facts_of(file, region or {})))

    changed = image.copy()
    changed[1, 299, 130] += 1
    one = hash_of(image)
    others = [
        hash_of(changed),
        hash_of(image.astype(np.int32)),
        hash_of(image[:, :200]),
        hash_of(image, {"Z": slice(0, 2)}),
        hash_of(image, file=None),
    ]
    assert one == hash_of(image.copy())
    assert len({one, *others}) == 6


def test_the_image_itself_is_never_replaced(tmp_path) -> None:
    """Not even where a person chose its name and said that a result there may be replaced."""
    group = zarr.open_group(tmp_path / "cells_labels.zarr", mode="w")
    group.create_array("0", data=spots(96, 96))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    facts = facts_of(tmp_path / "cells_labels.zarr", {})
    with pytest.raises(InputError, match="is the image itself"):
        finish(run(spots(96, 96), tmp_path, facts=facts, may_replace=True))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_result_stands_with_its_table_until_another_is_complete(tmp_path) -> None:
    finish(run(spots(160, 160), tmp_path))
    place = place_in(tmp_path)
    table = place.table.read_bytes()
    job = run(spots(160, 160)[::-1], tmp_path, may_replace=True)
    for event in job:
        if isinstance(event, TileDone) and event.done > 2:
            break
    job.close()
    assert place.table.read_bytes() == table
    finish(run(spots(160, 160)[::-1], tmp_path, may_replace=True))
    assert place.table.read_bytes() != table


def test_a_store_that_was_written_to_is_another_image(tmp_path) -> None:
    array = zarr.create_array(tmp_path / "im.zarr", data=np.zeros((4, 64, 64), np.uint8), chunks=(1, 64, 64))
    before = facts_of(tmp_path / "im.zarr", {})
    assert facts_of(tmp_path / "im.zarr", {}) == before
    array[2] = 7
    assert facts_of(tmp_path / "im.zarr", {}) != before
