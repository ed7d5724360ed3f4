import numpy as np
import pandas as pd
import pytest

from napari_unetseg.labels import edit
from napari_unetseg.labels.measure import measure_objects, merge_planes
from napari_unetseg.labels.remeasure import remeasure, restored

SCALE = {"Z": 2.0, "Y": 0.5, "X": 0.25}


@pytest.fixture
def labels():
    """Four bars of 4 x 6 pixels in a plane."""
    labels = np.zeros((20, 20), np.uint32)
    for label, (y, x) in enumerate([(1, 1), (1, 10), (10, 1), (10, 10)], start=1):
        labels[y : y + 4, x : x + 6] = label
    return labels


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 1000, (1, 20, 20)).astype(np.uint16)


def boxes_of(labels, ids):
    return {label: edit.find_box(labels, [label]) for label in ids}


def test_a_split_and_a_deletion_give_the_table_of_a_new_measurement(labels, image):
    before = measure_objects(labels, image, scale=SCALE)
    labels[labels == 4] = 0
    labels[1:5, 4:7] = 9
    after = remeasure(
        before, labels, boxes_of(labels, [1, 4, 9]), scale=SCALE, read=lambda box: image[(slice(None), *box)]
    )
    pd.testing.assert_frame_equal(after, measure_objects(labels, image, scale=SCALE))


def test_planes_and_frames_have_rows_of_their_own(labels, image):
    stack = np.stack([labels, labels])
    tables = [measure_objects(stack[z], None, scale={}, position={"t": 3, "z": z}) for z in (0, 1)]
    others = pd.DataFrame({"t": [1], "z": [0], "label": [2], "area_px": [7]})
    before = pd.concat([others, *tables], ignore_index=True)
    stack[1][stack[1] == 2] = 0
    after = remeasure(before, stack, boxes_of(stack, [2]), scale={}, t=3)
    assert after[after["label"] == 2][["t", "z", "area_px"]].to_numpy().tolist() == [[1, 0, 7], [3, 0, 24]]
    assert len(after) == len(before) - 1


def test_linked_stacks_have_one_row_per_object(labels):
    stack = np.stack([labels, labels])
    before = merge_planes(
        pd.concat([measure_objects(stack[z], None, scale={}, position={"z": z}) for z in (0, 1)]), scale=SCALE
    )
    stack[1][stack[1] == 2] = 0
    after = remeasure(before, stack, boxes_of(stack, [2]), scale=SCALE)
    pd.testing.assert_frame_equal(after, measure_objects(stack, None, scale=SCALE), check_like=True)


def test_columns_of_others_stay_and_confidence_is_empty_until_the_edit_is_undone(labels):
    known = measure_objects(labels, None, scale={}).assign(confidence=[0.9, 0.8, 0.7, 0.6], kind=list("abcd"))
    changed = labels.copy()
    changed[1:5, 4:7] = 9
    after = remeasure(known, changed, boxes_of(changed, [1, 9]), scale={})
    assert after["kind"].tolist()[:4] == list("abcd")
    assert np.isnan(after["confidence"]).tolist() == [True, False, False, False, True]
    undone = restored(remeasure(after, labels, boxes_of(labels, [1, 9]), scale={}), known)
    pd.testing.assert_frame_equal(undone, known)


def test_intensities_of_another_number_of_channels_are_left_empty(labels, image):
    before = measure_objects(labels, image, scale={})
    after = remeasure(before, labels, boxes_of(labels, [1]), scale={}, read=lambda box: np.zeros((2, 4, 6)))
    assert after["intensity_mean_c0"].isna().tolist() == [True, False, False, False]
