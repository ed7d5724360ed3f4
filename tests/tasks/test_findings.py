"""Classes of arrays, stacks and time series: the argmax everywhere, tiled, in blocks, previewed, and their table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.tasks.test_blockwise import run as run_blocks
from tests.tasks.test_segment import make_model

from napari_unetseg.images import normalize
from napari_unetseg.images.crop import crop
from napari_unetseg.images.read import from_array
from napari_unetseg.images.source import ImageSource
from napari_unetseg.networks import registry
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig, TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import LabelsPart, Note
from napari_unetseg.tasks import segment
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.layout import margin_of
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.region import classes_into_whole
from napari_unetseg.tasks.segment import Segmentation
from napari_unetseg.tasks.volumes import model_for

FULL = TilingConfig(precision="float32")
NAMES = ("background", "membrane", "vesicle", "dirt")


def classes_model(*, ndim: int = 2, count: int = 4) -> Model:
    """A network with random weights: any class may be anywhere."""
    torch.manual_seed(3)
    config = NetworkConfig(ndim=ndim, out_channels=count, width=4, depth=2)
    network = registry.build(config).eval()
    target = TargetConfig(kind="semantic", classes=count)
    card = ModelCard(name="any", network=config, target=target, classes=NAMES[:count])
    return Model(card, network, Path("any.safetensors"))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 1000, shape).astype(np.uint16)


def whole(source: ImageSource, model: Model, **options: object) -> Segmentation:
    return finish(segment.run(source, model=model, tiling=FULL, **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(("shape", "axes", "ndim"), [((70, 83), "YX", 2), ((12, 40, 44), "ZYX", 3)])
def test_labels_are_the_argmax_whatever_the_tile(shape: tuple[int, ...], axes: str, ndim: int) -> None:
    model, source = classes_model(ndim=ndim), from_array(noise(*shape), axes=axes)
    labels = whole(source, model).labels
    assert labels is not None
    assert labels.dtype == np.uint32
    assert len(np.unique(labels)) > 2
    tiled = finish(segment.run(source, model=model, tiling=FULL.replace(tile=16)))
    np.testing.assert_array_equal(tiled.labels, labels)


@pytest.mark.parametrize(
    ("shape", "axes", "ndim", "counts"),
    [
        ((130, 101), "YX", 2, (3, 4)),
        ((130, 101), "YX", 2, (1, 1)),
        ((2, 3, 50, 60), "TZYX", 2, (2, 2)),
        ((2, 16, 40, 48), "TZYX", 3, (2, 2, 3)),
    ],
)
def test_blocks_give_the_classes_and_rows_of_whole_frames(
    tmp_path: Path, shape: tuple[int, ...], axes: str, ndim: int, counts: tuple[int, ...]
) -> None:
    model, image = classes_model(ndim=ndim), noise(*shape)
    labels, result, layout = run_blocks(image, tmp_path, model=model, counts=counts, axes=axes)
    assert len(layout.blocks) == np.prod(counts)
    expected = whole(from_array(image, axes=axes), model)
    np.testing.assert_array_equal(labels, expected.labels)
    assert result.objects == expected.objects
    pd.testing.assert_frame_equal(result.table, expected.table)


def test_nothing_is_looked_at_around_a_block() -> None:
    assert margin_of(classes_model()) == 0
    assert margin_of(make_model()) > 0


def test_the_table_has_a_row_for_each_class_with_its_share() -> None:
    image, model = noise(40, 50), classes_model()
    source = replace(from_array(image, axes="YX"), scale={"Y": 0.5, "X": 0.2})
    result = whole(source, model)
    table = result.table
    assert list(table.columns) == ["label", "class", "area_px", "area_um2", "share"]
    assert table["class"].tolist() == list(NAMES)
    counts = np.bincount(np.asarray(result.labels).ravel(), minlength=4)
    assert table["area_px"].tolist() == counts.tolist()
    assert table["area_um2"].tolist() == pytest.approx(counts * 0.1)
    assert table["share"].sum() == pytest.approx(1)
    assert result.objects == np.count_nonzero(counts[1:])


def test_a_class_may_fill_the_whole_plane_untold() -> None:
    model = classes_model(count=2)
    with torch.no_grad():
        [*model.network.parameters()][-1][:] = torch.tensor([1e6, 0.0])  # of the last layer: all is background
    events = list(segment.run(from_array(noise(20, 24), name="a"), model=model, tiling=FULL))
    assert [event.message for event in events if isinstance(event, Note)] == []


def test_planes_of_a_stack_count_together_and_time_points_apart() -> None:
    image = noise(2, 3, 40, 48)
    result = whole(from_array(image, axes="TZYX"), classes_model())
    assert list(result.table.columns) == ["t", "label", "class", "volume_px", "share"]
    for t in range(2):
        rows = result.table[result.table["t"] == t]
        assert rows["volume_px"].tolist() == np.bincount(result.labels[t].ravel(), minlength=4).tolist()


def test_a_preview_shows_the_same_classes_tile_by_tile() -> None:
    model, source = classes_model(), from_array(noise(2, 64, 64), axes="ZYX")
    labels = whole(source, model).labels
    job = segment.run(source, model=model, tiling=FULL.replace(tile=16), preview=True)
    parts = [event for event in job if isinstance(event, LabelsPart)]
    assert {part.is_final for part in parts} == {True, False}
    for part in parts:
        np.testing.assert_array_equal(part.labels, labels[part.region[1:]].reshape(part.labels.shape))


def test_a_part_of_an_image_keeps_its_classes_and_time_points() -> None:
    model, source = classes_model(), from_array(noise(3, 64, 64), axes="TYX")
    region = {"T": slice(2, 3), "Y": slice(16, 48)}
    job = segment.run(crop(source, region), model=model, tiling=FULL, preview=True)
    events = []
    part = classes_into_whole(job, source=source, region=region)
    while True:
        try:
            events.append(next(part))
        except StopIteration as end:
            result = end.value
            break
    shown = [event for event in events if isinstance(event, LabelsPart)]
    assert all(event.maps is None for event in shown)
    assert result.table["area_px"].sum() == 32 * 64
    assert result.table["area_px"].tolist() == np.bincount(shown[-1].labels.ravel(), minlength=4).tolist()


@pytest.mark.parametrize(
    ("shape", "change"), [((40, 48), {"views": 8}), ((5, 40, 48), {"three_axes": True, "z_step": 2})]
)
def test_maps_of_classes_are_averaged_as_those_of_objects_are(
    shape: tuple[int, ...], change: dict[str, object]
) -> None:
    model, pixels = classes_model(), noise(*shape)
    source = from_array(pixels, axes="ZYX"[3 - len(shape) :])
    decoding = DecodingConfig().replace(**change)
    ready = model_for(source, model=model, decoding=decoding)
    image = normalize.apply(pixels[None], stretch=normalize.measure([pixels[None]], config=model.card.normalization))
    maps = finish(predictor_of(ready, decoding=decoding, tiling=FULL).predict(image))
    found = whole(source, model, decoding=decoding).labels
    np.testing.assert_array_equal(found, maps.argmax(axis=0))
    assert (found != whole(source, model).labels).any()


@pytest.mark.parametrize("change", [{"link_slices": True}, {"min_size": 40}, {"threshold": 0.7}])
def test_settings_of_objects_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    model = classes_model()
    decoding = DecodingConfig().replace(**change)
    with pytest.raises(InputError, match=f"'any' gives classes, not objects, for which {next(iter(change))} means"):
        whole(from_array(noise(16, 16)), model, decoding=decoding)
    with pytest.raises(InputError, match="gives classes"):
        next(segment_files([tmp_path / "a.tif"], folder=tmp_path / "out", model=model, decoding=decoding))


def test_no_joining_of_slices_is_advised() -> None:
    job = segment.run(from_array(noise(2, 32, 32), axes="ZYX"), model=classes_model(), tiling=FULL)
    assert not [event for event in job if isinstance(event, Note) and "--link" in event.message]
