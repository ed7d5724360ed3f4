"""A comparison gives what the scores give, frame by frame, and says where the mistakes are."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.compare import compare
from napari_unetseg.tasks.compare_classes import compare_classes
from napari_unetseg.tasks.evaluate import evaluate, evaluate_series


def result_of(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


@pytest.fixture
def maps():
    truth = np.zeros((2, 12, 12), np.int32)
    truth[:, 1:5, 1:5] = 1
    truth[1, 7:10, 7:10] = 2
    labels = truth.copy()
    labels[1, 7:10, 7:10] = 0
    return labels, truth


def test_frames_are_scored_by_themselves(maps):
    labels, truth = maps
    result = result_of(compare(labels, truth, has_time=True))
    assert result.scores == evaluate_series(labels, truth)
    assert result.table.loc[result.table["verdict"] == "missed", ["t", "label"]].to_numpy().tolist() == [[1, 2]]
    assert result.counts["missed"] == 1
    assert result.pixels.tolist() == [[288 - 41, 0], [9, 32]]
    np.testing.assert_array_equal(result.errors, (truth == 2).astype(np.uint8))


def test_a_volume_is_scored_as_one(maps):
    labels, truth = maps
    result = result_of(compare(labels, truth, has_time=False))
    assert result.scores["ap"] == evaluate(labels, truth)["ap"]
    assert "t" not in result.table


def test_other_shapes_are_refused(maps):
    with pytest.raises(InputError, match="differ"):
        result_of(compare(maps[0][0], maps[1], has_time=False))


def test_classes_are_scored_frame_by_frame_and_pooled(maps):
    labels, truth = maps
    result = result_of(compare_classes(labels, truth, has_time=True))
    assert [row["name"] for row in result.scores["per_image"]] == ["frame 0", "frame 1"]
    assert result.scores["iou"] == evaluate(labels, truth, is_semantic=True)["iou"] == [247 / 256, 1, 0]
    with pytest.raises(InputError, match="differ"):
        result_of(compare_classes(labels[0], truth, has_time=False))
