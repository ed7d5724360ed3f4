import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from napari_unetseg.labels.measure import measure_objects, merge_parts, merge_planes
from napari_unetseg.schema.errors import InputError

SCALE = {"Z": 2.0, "Y": 0.5, "X": 0.25}


@pytest.fixture
def volume():
    """Object 5 in both planes (3 x 2 and 3 x 3 pixels), object 900 one voxel in the corner of the second."""
    labels = np.zeros((2, 6, 6), np.uint32)
    labels[0, 1:4, 1:3] = labels[1, 1:4, 1:4] = 5
    labels[1, 5, 5] = 900
    return labels


def test_plane():
    labels = np.array([[0, 5, 5], [0, 5, 5], [70_000, 0, 0]], np.uint32)
    image = np.arange(18, dtype=">u2").reshape(2, 3, 3)
    table = measure_objects(labels, image, scale=SCALE)
    assert list(table.columns) == [
        *("label", "centroid_y_px", "centroid_x_px", "centroid_y_um", "centroid_x_um", "area_px", "area_um2"),
        *("equivalent_diameter_px", "equivalent_diameter_um"),
        *("bbox_y_min_px", "bbox_x_min_px", "bbox_y_max_px", "bbox_x_max_px"),
        *("intensity_mean_c0", "intensity_min_c0", "intensity_max_c0"),
        *("intensity_mean_c1", "intensity_min_c1", "intensity_max_c1"),
    ]
    five, other = table.to_dict("records")
    assert (five["label"], other["label"]) == (5, 70_000)
    assert (five["centroid_y_px"], five["centroid_x_px"]) == (0.5, 1.5)
    assert (five["centroid_y_um"], five["centroid_x_um"]) == (0.25, 0.375)
    assert (five["area_px"], five["area_um2"]) == (4, 0.5)
    assert five["equivalent_diameter_px"] == pytest.approx(math.sqrt(16 / math.pi))
    assert five["equivalent_diameter_um"] == pytest.approx(math.sqrt(2 / math.pi))
    assert [five[f"bbox_{name}_px"] for name in ("y_min", "x_min", "y_max", "x_max")] == [0, 1, 2, 3]
    assert [five[f"intensity_{name}_c0"] for name in ("mean", "min", "max")] == [3, 1, 5]
    assert [other[f"intensity_{name}_c1"] for name in ("mean", "min", "max")] == [15, 15, 15]


def test_volume(volume):
    table = measure_objects(volume, None, scale=SCALE).set_index("label")
    assert table.loc[5, "volume_px"] == 15
    assert table.loc[5, "volume_um3"] == 15 * 0.25
    assert table.loc[5, "centroid_z_um"] == pytest.approx(9 / 15 * 2)
    assert table.loc[900, "equivalent_diameter_px"] == pytest.approx((6 / math.pi) ** (1 / 3))
    assert "area_px" not in table


def test_no_micrometres_without_the_pixel_size(volume):
    for scale in ({}, {"Y": 1.0, "X": 1.0}):
        assert not [name for name in measure_objects(volume, None, scale=scale) if "_um" in name]
    assert "area_um2" in measure_objects(volume[0], None, scale={"Y": 1.0, "X": 1.0})


def test_position_leads_and_channels_can_be_named(volume):
    table = measure_objects(volume[0], np.ones((1, 6, 6)), scale={}, position={"t": 3, "z": 0}, channels=["dapi"])
    assert list(table.columns[:3]) == ["t", "z", "label"]
    assert table["t"].tolist() == [3]
    assert table["intensity_mean_dapi"].tolist() == [1]


def test_no_objects_give_the_same_columns_and_types(volume):
    image = np.ones((2, *volume.shape), np.uint8)
    full, empty = (
        measure_objects(labels, image, scale=SCALE, position={"t": 0}) for labels in (volume, np.zeros_like(volume))
    )
    assert len(empty) == 0
    pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


def test_ignored_pixels_are_no_object():
    assert measure_objects(np.array([[-1, 2]]), None, scale={})["label"].tolist() == [2]


def test_confidence_is_the_mean_foreground_probability_also_of_merged_planes(volume):
    background = np.zeros((2, 6, 6))
    background[0, 1:4, 1:3], background[1, 5, 5] = 0.5, 0.25
    maps = np.stack([background, 1 - background])
    whole = measure_objects(volume, None, scale=SCALE, probability=maps).set_index("label")["confidence"]
    np.testing.assert_allclose(whole, [1 - 0.5 * 6 / 15, 0.75])
    planes = [
        measure_objects(volume[z], None, scale=SCALE, position={"z": z}, probability=maps[:, z]) for z in range(2)
    ]
    merged = merge_planes(pd.concat(planes, ignore_index=True)).set_index("label")["confidence"]
    np.testing.assert_allclose(merged, whole, rtol=1e-6)


@pytest.mark.parametrize("time_point", [None, 4])
def test_planes_merge_to_what_the_volume_measures(volume, time_point):
    image = np.random.default_rng(0).random((2, *volume.shape))
    position = {} if time_point is None else {"t": time_point}
    planes = [
        measure_objects(volume[z], image[:, z], scale=SCALE, position={**position, "z": z}) for z in range(len(volume))
    ]
    merged = merge_planes(pd.concat(planes, ignore_index=True), scale=SCALE)
    pd.testing.assert_frame_equal(merged, measure_objects(volume, image, scale=SCALE, position=position))


def test_merging_nothing_gives_the_columns(volume):
    nothing = merge_planes(measure_objects(volume[0] * 0, None, scale={}, position={"z": 0}))
    assert len(nothing) == 0
    assert list(nothing.columns) == list(measure_objects(volume, None, scale={}).columns)


def _measured_in_parts(labels, image, maps, *, edges, position=None):
    """Measure pieces of a label map one by one along x, and put their rows together in coordinates of the whole."""
    tables = []
    for start, stop in pairwise(edges):
        part = (..., slice(start, stop))
        table = measure_objects(labels[part], image[part], scale=SCALE, position=position, probability=maps[part])
        for column in ("centroid_x_px", "bbox_x_min_px", "bbox_x_max_px"):
            table[column] += start
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize("edges", [(0, 20), (0, 7, 20), (0, 3, 4, 11, 13, 20)])
@pytest.mark.parametrize(
    ("shape", "position"), [((12, 20), {}), ((12, 20), {"t": 2, "z": 1}), ((5, 8, 20), {}), ((5, 8, 20), {"t": 2})]
)
def test_parts_merge_to_what_the_whole_measures(shape, edges, position):
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 3, 8, 9, 500], shape).astype(np.uint32)
    labels[..., 0, 0] = 70  # an object that is in one part only
    image, maps = rng.random((2, *shape)).astype(np.float32), rng.random((3, *shape)).astype(np.float32)
    parts = _measured_in_parts(labels, image, maps, edges=edges, position=position)
    shuffled = parts.sample(frac=1, random_state=0, ignore_index=True)
    whole = measure_objects(labels, image, scale=SCALE, position=position, probability=maps)
    for table in (parts, shuffled):
        merged = merge_parts(table, axes="zyx"[3 - len(shape) :], scale=SCALE)
        pd.testing.assert_frame_equal(merged, whole, rtol=1e-6)


def test_two_parts_merged_by_hand():
    """Object 7 has 4 pixels of mean 10 and 1 pixel of 20; object 2 is whole.

    7 7|. 2      intensities  10 10| . 5
    7 7|7 .                   10 10|20 .
    """
    labels = np.array([[7, 7, 0, 2], [7, 7, 7, 0]], np.uint32)
    image = np.array([[[10, 10, 0, 5], [10, 10, 20, 0]]], np.uint8)
    parts = _measured_in_parts(labels, image, np.zeros((1, 2, 4), np.float32), edges=(0, 2, 4))
    assert parts["label"].tolist() == [7, 2, 7]
    two, seven = merge_parts(parts, axes="yx", scale=SCALE).to_dict("records")
    assert (two["label"], two["area_px"], two["centroid_x_px"], two["intensity_mean_c0"]) == (2, 1, 3, 5)
    assert (seven["label"], seven["area_px"], seven["area_um2"]) == (7, 5, 5 * 0.125)
    assert seven["intensity_mean_c0"] == pytest.approx(12)
    assert seven["centroid_x_px"] == pytest.approx(0.8)
    assert seven["centroid_x_um"] == pytest.approx(0.2)
    assert seven["equivalent_diameter_px"] == pytest.approx(math.sqrt(20 / math.pi))
    assert [seven[f"bbox_{name}_px"] for name in ("y_min", "x_min", "y_max", "x_max")] == [0, 0, 2, 3]
    assert [seven[f"intensity_{name}_c0"] for name in ("min", "max")] == [10, 20]


@pytest.mark.filterwarnings("error")
def test_merging_parts_without_objects_or_with_split_ones_only_keeps_columns_and_types():
    maps = np.full((1, 4, 6), 0.25, np.float32)
    for labels in (np.zeros((4, 6), np.uint32), np.ones((4, 6), np.uint32)):
        whole = measure_objects(labels, maps, scale=SCALE, position={"t": 0}, probability=maps)
        parts = _measured_in_parts(labels, maps, maps, edges=(0, 2, 6), position={"t": 0})
        pd.testing.assert_frame_equal(merge_parts(parts, axes="yx", scale=SCALE), whole)


def test_parts_without_a_pixel_size_get_no_micrometres():
    labels = np.ones((2, 4), np.uint32)
    rows = pd.concat([measure_objects(labels[:, part], None, scale={}) for part in (slice(2), slice(2, 4))])
    merged = merge_parts(rows.reset_index(drop=True), axes="yx", scale={})
    assert merged["area_px"].tolist() == [8]
    assert not [name for name in merged if "_um" in name]


def test_the_same_id_at_two_times_is_two_objects(volume):
    planes = [measure_objects(volume[1], None, scale={}, position={"t": t, "z": 1}) for t in (0, 1)]
    merged = merge_planes(pd.concat(planes, ignore_index=True))
    assert merged[["t", "label"]].values.tolist() == [[0, 5], [0, 900], [1, 5], [1, 900]]


def test_bad_input_is_refused(volume):
    with pytest.raises(InputError, match=r"\(2, 6, 6\).*\(1, 6, 6\)"):
        measure_objects(volume, np.zeros((1, 6, 6)), scale={})
    with pytest.raises(InputError, match="2 channel names for an image of 1"):
        measure_objects(volume, np.zeros((1, 2, 6, 6)), scale={}, channels=["a", "b"])
    with pytest.raises(InputError, match="float64"):
        measure_objects(np.zeros((3, 3)), None, scale={})


def test_an_object_with_a_pixel_that_is_not_finite_has_no_intensity_in_parts_either() -> None:
    labels = np.ones((4, 6), np.uint32)
    image = np.full((1, 4, 6), 5.0)
    image[0, 0, 0] = np.nan
    whole = measure_objects(labels, image, scale={})
    halves = (slice(0, 3), slice(3, 6))
    parts = [measure_objects(labels[:, half], image[..., half], scale={}) for half in halves]
    merged = merge_parts(pd.concat(parts, ignore_index=True), axes="yx", scale={})
    assert whole["intensity_mean_c0"].isna().all()
    assert merged[["intensity_mean_c0", "intensity_min_c0", "intensity_max_c0"]].isna().all(axis=None)
    assert merged["area_px"].tolist() == [24]
