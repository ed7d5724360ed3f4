import numpy as np
import pytest

from napari_unetseg.labels.confusion import confusion_scores, dice


def test_worked_example():
    scores = confusion_scores(np.array([[2, 1, 0], [1, 1, 0], [0, 0, 1]]))
    assert scores["pixel_accuracy"] == pytest.approx(4 / 6)
    assert scores["mean_class_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert scores["iou"] == pytest.approx([0.5, 1 / 3, 1])
    assert scores["mean_iou"] == pytest.approx(0.6111, abs=5e-5)
    assert scores["fw_iou"] == pytest.approx(0.5278, abs=5e-5)


def test_absent_class_is_skipped():
    scores = confusion_scores(np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert scores["iou"] == [3 / 4, 4 / 5, None]
    assert scores["mean_iou"] == pytest.approx((3 / 4 + 4 / 5) / 2)
    assert scores["mean_class_accuracy"] == pytest.approx((3 / 4 + 1) / 2)


def test_nothing_at_all_is_undefined_rather_than_nan():
    scores = confusion_scores(np.zeros((2, 2), np.int64))
    assert scores.pop("iou") == [None, None]
    assert set(scores.values()) == {None}


def test_dice():
    assert dice(np.array([[5, 1], [2, 3]])) == pytest.approx(6 / 9)
    assert dice(np.array([[5, 0], [0, 0]])) == 1
    assert dice(np.array([[5, 1], [0, 0]])) == 0
