"""Segmenting block by block: the labels and rows of a run that sees whole frames, whatever the blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.tasks.test_segment import make_model

from napari_unetseg.images.read import from_array, open_image
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Note
from napari_unetseg.tasks import blockwise, layout, segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.layout import lay_out
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.scaled import scaled, sized
from napari_unetseg.tasks.volumes import model_for
from napari_unetseg.tasks.work import Work

RUN = {"image": "abc", "model": "bright"}


def spots(*shape: int, seed: int = 0) -> np.ndarray:
    """Return a dark image with bright boxes of 3 to 9 px, many of which touch."""
    rng = np.random.default_rng(seed)
    image = np.full(shape, 100, np.uint16)
    for _ in range(image.size // 180):
        corner = [int(rng.integers(0, n)) for n in shape]
        edges = rng.integers(2, 10, len(shape))
        image[tuple(slice(c, c + int(e)) for c, e in zip(corner, edges, strict=True))] = rng.integers(700, 1000)
    return image


def run(image, folder: Path, *, model, counts=None, axes=None, decoding=None, resume=False):
    source = from_array(image, axes=axes)
    decoding = decoding or model.card.decoding
    model = model_for(source, model=model, decoding=decoding)
    decoding = sized(decoding, card=model.card, network=model.network)
    tiles = predictor_of(model, decoding=decoding, tiling=TilingConfig(tile=16, precision="float32"))
    predictor = scaled(tiles, model=model, decoding=decoding)
    job = blockwise.Job(source, model, predictor, decoding, [0], memory=2**30)
    diameter = decoding.diameter
    layout = lay_out(source, model=model, channels=[0], memory=2**30, counts=counts, diameter=diameter)
    letters = source.axes.letters
    path = folder / "out.ome.zarr"
    work = Work.begin(path, settings=RUN, blocks=layout.counts, resume=resume)

    def open_writer():
        return LabelWriter(path, shape=image.shape, axes=letters, scale={}, format="zarr", overwrite=True)

    rows: list[pd.DataFrame] = []
    notes: list[str] = []

    def watched():
        events = blockwise.run(job, work=work, layout=layout, open_writer=open_writer, add_rows=rows.append)
        while True:
            try:
                event = next(events)
            except StopIteration as stop:
                return stop.value
            if isinstance(event, Note):
                notes.append(event.message)
            yield event

    try:
        objects = finish(watched())
    finally:
        work.release()
    result = SimpleNamespace(objects=objects, table=pd.concat(rows, ignore_index=True), notes=notes)
    return np.asarray(open_image(path).reader(tuple(slice(0, n) for n in image.shape))), result, layout


def same(image, folder, *, model, counts, axes=None, decoding=None):
    labels, result, layout = run(image, folder, model=model, counts=counts, axes=axes, decoding=decoding)
    whole = finish(
        segment.run(
            from_array(image, axes=axes), model=model, decoding=decoding, tiling=TilingConfig(precision="float32")
        )
    )
    np.testing.assert_array_equal(labels, whole.labels)
    assert result.objects == whole.objects
    pd.testing.assert_frame_equal(result.table, whole.table, check_dtype=False, rtol=1e-6)
    return layout


@pytest.fixture
def near(monkeypatch):
    """Blocks look 16 px beyond their core, so that small images have many."""
    monkeypatch.setattr(layout, "margin_of", lambda _model: 16)


@pytest.mark.parametrize("counts", [(1, 1), (3, 2), (7, 5)])
@pytest.mark.parametrize("axes", ["YX", "ZYX"])
def test_blocks_give_the_labels_and_rows_of_whole_planes(tmp_path, near, counts, axes) -> None:
    image = spots(*(2, 130, 101)[3 - len(axes) :])
    cut = same(image, tmp_path, model=make_model(), counts=counts, axes=axes)
    assert len(cut.blocks) >= counts[0] * counts[1]


def test_blocks_of_a_volume(tmp_path, near) -> None:
    image = spots(40, 60, 50)
    cut = same(image, tmp_path, model=make_model(ndim=3), counts=(2, 3, 2), axes="ZYX")
    assert len(cut.blocks) == 12


@pytest.mark.parametrize(("learnt", "counts"), [(3, (3, 2)), (10, (7, 5)), (13, (3, 4))])
def test_blocks_of_a_scaled_image(tmp_path, near, learnt, counts) -> None:
    """Objects of 6 px with a model of 3, 10 and 13: shrunk, and enlarged."""
    model = make_model()
    model = replace(model, card=model.card.replace(object_diameter=learnt))
    decoding = DecodingConfig(min_size=3, diameter=6)
    cut = same(spots(150, 121), tmp_path, model=model, counts=counts, decoding=decoding)
    assert any(block.window != cut.blocks[0].window for block in cut.blocks)


def test_blocks_of_a_scaled_volume(tmp_path, near) -> None:
    model = make_model(ndim=3)
    model = replace(model, card=model.card.replace(object_diameter=4))
    same(spots(36, 50, 40), tmp_path, model=model, counts=(1, 3, 2), axes="ZYX", decoding=DecodingConfig(diameter=6))


def test_an_object_that_fills_nearly_all_is_told(tmp_path, near) -> None:
    image = np.full((40, 40), 100, np.uint16)
    image[:38, :38] = 1000
    told = run(image, tmp_path, model=make_model(), counts=(2, 2))[1].notes
    assert sum("one object fills 90 % of its plane" in note for note in told) == 1


def test_linked_planes(tmp_path, near) -> None:
    image = np.repeat(spots(3, 90, 101), 2, axis=0)
    same(image, tmp_path, model=make_model(link=True), counts=(3, 4), axes="ZYX")


def test_small_and_doubtful_objects_are_left_out_alike(tmp_path, near) -> None:
    decoding = DecodingConfig(min_size=20, min_confidence=0.99)
    same(spots(130, 101), tmp_path, model=make_model(), counts=(5, 4), decoding=decoding)


@pytest.mark.parametrize("step", [1, 3])
def test_three_axes(tmp_path, near, step) -> None:
    decoding = DecodingConfig(min_size=0, three_axes=True, z_step=step)
    cut = same(spots(24, 36, 30), tmp_path, model=make_model(), counts=(1, 2, 1), axes="ZYX", decoding=decoding)
    assert len(cut.blocks) == 2


@pytest.mark.parametrize(("ndim", "counts"), [(2, (5, 4)), (3, (1, 2, 2))])
def test_views(tmp_path, near, ndim, counts) -> None:
    """The network shifts what it sees, so that its views differ."""
    model = make_model(ndim=ndim)
    with torch.no_grad():
        weight = model.network.encoder[0][0].weight
        weight[..., 0, 2] = weight[..., 1, 1]
        weight[..., 1, 1] = 0
    image = spots(130, 101) if ndim == 2 else spots(16, 40, 30)
    same(image, tmp_path, model=model, counts=counts, axes="ZYX"[3 - ndim :], decoding=DecodingConfig(views=8))
    one, many = (segment.segment(image, model=model, decoding=DecodingConfig(views=count)) for count in (1, 8))
    assert (one != many).any()


def test_objects_longer_than_what_a_block_sees_are_joined(tmp_path, near) -> None:
    image = np.full((150, 140), 100, np.uint16)
    image[70:74, 5:135] = 1000  # through all blocks
    image[5:140, 20:23] = 1000  # and down, where it meets the other
    image[100:104, 60:64] = 1000
    same(image, tmp_path, model=make_model(), counts=(5, 5))


def test_a_run_that_was_stopped_goes_on_and_does_nothing_twice(tmp_path, near, monkeypatch) -> None:
    image, model = spots(130, 101), make_model()
    for name in "ab":
        (tmp_path / name).mkdir()
    whole, _, _ = run(image, tmp_path / "a", model=model, counts=(3, 3))
    keep, done = Work.keep, []

    def keep_some(self, number, arrays):
        if len(done) == 4:
            raise KeyboardInterrupt
        keep(self, number, arrays)
        done.append(number)

    monkeypatch.setattr(Work, "keep", keep_some)
    with pytest.raises(KeyboardInterrupt):
        run(image, tmp_path / "b", model=model, counts=(3, 3))
    assert not (tmp_path / "b" / "out.ome.zarr").exists()
    again: list[int] = []
    monkeypatch.setattr(Work, "keep", lambda self, number, arrays: (again.append(number), keep(self, number, arrays)))
    labels, _, _ = run(image, tmp_path / "b", model=model, counts=(3, 3), resume=True)
    np.testing.assert_array_equal(labels, whole)
    assert len(done) == 4
    assert sorted(done + again) == list(range(9))


def test_a_volume_is_not_cut_where_half_of_the_memory_holds_it() -> None:
    """Context takes most of a small 3D block: the default for planes would multiply the work."""
    assert layout.default_memory(ndim=3) >= layout.default_memory(ndim=2)
    model, source = make_model(ndim=3), from_array(np.zeros((32, 256, 256), np.uint16), axes="ZYX")
    assert len(lay_out(source, model=model, channels=[0], memory=2**31)) == 1


def test_little_memory_is_said_to_be_slow(tmp_path, near) -> None:
    model, source = make_model(ndim=3), from_array(np.zeros((200, 200, 200), np.uint16), axes="ZYX")
    predictor = Predictor(model.network, target=model.card.target, tiling=TilingConfig(tile=16, precision="float32"))
    job = blockwise.Job(source, model, predictor, model.card.decoding, [0], memory=2**26)
    cut = lay_out(source, model=model, channels=[0], memory=2**31, counts=(50, 50, 50))
    told = [note.message for note in blockwise.advice(job, cut)]
    assert "cut into" in told[0]
    assert "more memory (--memory) makes it faster" in told[1]
