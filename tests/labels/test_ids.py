import numpy as np
import pytest

from napari_unetseg.labels.ids import compact, object_boxes
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, ">i4", ">u2"])
def test_consecutive_ids_stay(dtype):
    labels = np.array([[0, 1, 1], [2, 2, 3]], dtype)
    objects, ids = compact(labels)
    assert objects.dtype == np.int32
    np.testing.assert_array_equal(objects, labels)
    np.testing.assert_array_equal(ids, [0, 1, 2, 3])


@pytest.mark.parametrize("large", [900, 70_000, 2**24 + 1, 2**32 - 1, 2**63 + 1])
def test_sparse_ids_are_numbered_in_their_order_and_can_be_restored(large):
    labels = np.array([[large, 0, 5], [5, large - 1, large]], np.uint64)
    objects, ids = compact(labels)
    np.testing.assert_array_equal(objects, [[3, 0, 1], [1, 2, 3]])
    np.testing.assert_array_equal(ids[objects], labels)
    assert ids.dtype == labels.dtype


@pytest.mark.parametrize("large", [3, 40, 2**40])
def test_ignored_pixels_stay_ignored(large):
    objects, ids = compact(np.array([[-1, 0, large], [-1, 2, 2]]))
    np.testing.assert_array_equal(objects, [[-1, 0, 2], [-1, 1, 1]])
    np.testing.assert_array_equal(ids, [0, 2, large])


@pytest.mark.parametrize("labels", [np.zeros((3, 4), int), np.zeros((0, 4), int), -np.ones((2, 2), int)])
def test_maps_without_objects(labels):
    objects, ids = compact(labels)
    np.testing.assert_array_equal(objects, labels)
    assert list(ids) == [0]
    assert object_boxes(objects) == []


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 2), np.float32), "must be integers, got float32"),
        (np.zeros((2, 2), bool), "got a boolean mask"),
        (np.array([[0, -2]]), "got -2"),
    ],
)
def test_what_is_not_a_label_map_is_refused(labels, message):
    with pytest.raises(InputError, match=message):
        compact(labels)
    with pytest.raises(InputError, match=f"^a.tif: labels .*{message}"):
        compact(labels, name="a.tif")


@pytest.mark.parametrize("shape", [(37, 50), (9, 20, 30)])
@pytest.mark.parametrize("band", [1, 130, 2**20])
def test_boxes_are_those_of_all_pixels_however_few_are_looked_at_in_one_call(monkeypatch, shape, band):
    monkeypatch.setattr("napari_unetseg.labels.ids.BAND", band)
    rng = np.random.default_rng(0)
    objects = rng.integers(-1, 40, shape).astype(np.int32)
    objects[objects == 7] = 0
    objects[(objects > 30) & (np.indices(shape)[0] > 5)] = 0
    boxes = object_boxes(objects)
    assert len(boxes) == objects.max()
    for number, box in enumerate(boxes, start=1):
        where = np.argwhere(objects == number)
        assert (box is None) == (not len(where))
        if box is not None:
            low, high = where.min(axis=0), where.max(axis=0) + 1
            assert box == tuple(slice(a, b) for a, b in zip(low, high, strict=True))
