import math

import numpy as np
import pandas as pd
import pytest

from napari_unetseg.labels.measure import measure_objects, merge_planes
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
