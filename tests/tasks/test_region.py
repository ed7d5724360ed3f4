"""A part of an image is segmented into the result of the whole; nothing outside it changes."""

from __future__ import annotations

import numpy as np
from tests.tasks.test_segment import make_model, stack

from napari_unetseg.images.crop import crop
from napari_unetseg.images.read import from_array
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import LabelsPart
from napari_unetseg.tasks.recall import MapCache
from napari_unetseg.tasks.refine import refine_all, refine_window
from napari_unetseg.tasks.region import Whole, into_whole
from napari_unetseg.tasks.segment import run

SCALE = {"Z": 2.0, "Y": 0.5, "X": 0.5}
AMPLE = 10**9


def segment_part(source, region, labels, *, table=None, cache=None, keeps_ids=False, job=None):
    """Run into `labels`, as a dock does; return the result."""
    part = crop(source, region)
    job = job or run(part, model=make_model(), preview=True)
    into = into_whole(job, source=source, region=region, whole=Whole(labels, table), cache=cache, keeps_ids=keeps_ids)
    view = labels[tuple(region.get(letter, slice(None)) for letter in "TZYX")]
    while True:
        try:
            event = next(into)
        except StopIteration as end:
            return end.value
        if isinstance(event, LabelsPart):
            view[event.region] = event.labels
            assert event.maps is None


def test_a_plane_of_a_stack_gets_free_ids_and_its_place() -> None:
    """The other planes hold object 7; the plane gets 8 and 9."""
    source = from_array(stack(3, 20, 24), axes="ZYX", scale=SCALE)
    labels = np.zeros((1, 3, 20, 24), np.uint32)
    labels[0, :, 0, 0] = 7
    result = segment_part(source, {"Z": slice(1, 2)}, labels)
    assert set(np.unique(labels[0, 1])) == {0, 8, 9}
    assert (labels[0, [0, 2], 0, 0] == 7).all()
    assert list(result.table["label"]) == [8, 9]
    assert list(result.table["z"]) == [1, 1]
    assert result.objects == 3


def test_places_are_those_in_the_whole_image() -> None:
    source = from_array(stack(20, 24), scale=SCALE)
    labels = np.zeros((1, 1, 20, 24), np.uint32)
    result = segment_part(source, {"Y": slice(2, 12), "X": slice(10, 20)}, labels)
    row = result.table.iloc[0]
    assert (row["centroid_y_px"], row["centroid_x_px"]) == (5.5, 13.5)
    assert (row["bbox_x_min_px"], row["bbox_x_max_px"]) == (12, 16)
    assert row["centroid_x_um"] == 13.5 * 0.5
    assert row["confidence"] > 0.9


def test_rows_of_objects_outside_stay_in_the_table_and_those_inside_go() -> None:
    source = from_array(stack(3, 20, 24), axes="ZYX", scale=SCALE)
    labels = np.zeros((1, 3, 20, 24), np.uint32)
    first = segment_part(source, {}, labels)
    second = segment_part(source, {"Z": slice(0, 1)}, labels, table=first.table)
    assert sorted(second.table["label"]) == sorted(set(np.unique(labels)) - {0})
    assert second.objects == first.objects == 5
    assert sorted(second.table["z"]) == [0, 0, 1, 1, 2]


def test_maps_are_kept_within_the_budget() -> None:
    source = from_array(stack(3, 20, 24), axes="ZYX")
    frame = 3 * 20 * 24 * 2
    for budget, kept in ((AMPLE, 3), (2 * frame, 2), (0, 0)):
        cache = MapCache(budget=budget)
        segment_part(source, {}, np.zeros((1, 3, 20, 24), np.uint32), cache=cache)
        assert (len(cache.frames), cache.bytes) == (kept, kept * frame)
        assert cache.is_complete == (kept == 3)


def test_all_is_decoded_anew_from_the_maps_and_keeps_its_ids() -> None:
    source = from_array(stack(3, 20, 24), axes="ZYX", scale=SCALE)
    labels, cache, model = np.zeros((1, 3, 20, 24), np.uint32), MapCache(budget=AMPLE), make_model()
    segment_part(source, {}, labels, cache=cache)
    labels[labels > 0] += 100
    before = labels.copy()
    job = refine_all(source, cache=cache, model=model, decoding=DecodingConfig(min_size=0), channels=[0])
    result = segment_part(source, {}, labels, keeps_ids=True, job=job)
    np.testing.assert_array_equal(labels, before)
    assert sorted(result.table["label"]) == [101, 102, 103, 104, 105]
    job = refine_all(source, cache=cache, model=model, decoding=DecodingConfig(min_size=17), channels=[0])
    assert segment_part(source, {}, labels, keeps_ids=True, job=job).objects == 0
    assert not labels.any()


def test_a_window_is_decoded_anew() -> None:
    """Only the right object lies in the window; it keeps its id, and goes when objects must be larger."""
    source = from_array(stack(20, 24))
    labels, cache = np.zeros((1, 1, 20, 24), np.uint32), MapCache(budget=AMPLE)
    segment_part(source, {}, labels, cache=cache)
    window = (slice(0, 20), slice(10, 24))
    for smallest, objects in ((0, 1), (100, 0)):
        decoding = DecodingConfig(min_size=smallest)
        (part,) = refine_window(
            cache, place=(0, 0), window=window, model=make_model(), decoding=decoding, shown=labels, next_id=3
        )
        assert part.region == (slice(0, 1), slice(0, 1), *window)
        assert set(np.unique(part.labels)) - {0} == ({2} if objects else set())
