import numpy as np
import pytest

from napari_unetseg.labels.confusion import confusion_histogram, confusion_scores, dice
from napari_unetseg.schema.errors import InputError

TRUTH = np.array([0, 0, 0, 1, 1, 2, 255])
PREDICTED = np.array([0, 0, 1, 1, 0, 2, 0])


def test_worked_example():
    histogram = confusion_histogram(PREDICTED, TRUTH, class_count=3)
    assert histogram.dtype == np.int64
    np.testing.assert_array_equal(histogram, [[2, 1, 0], [1, 1, 0], [0, 0, 1]])
    scores = confusion_scores(histogram)
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


def test_parts_add_up_to_the_whole():
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(-1, 4, (20, 20)), rng.integers(0, 4, (20, 20))
    parts = [confusion_histogram(predicted[rows], truth[rows], class_count=4) for rows in (slice(7), slice(7, None))]
    np.testing.assert_array_equal(sum(parts), confusion_histogram(predicted, truth, class_count=4))


def test_counts_of_bytes_do_not_overflow():
    ones = np.ones((300, 300), np.uint8)
    assert confusion_histogram(ones, ones, class_count=20)[1, 1] == 90_000


def test_bad_input_is_refused():
    with pytest.raises(InputError, match=r"must be 0\.\.2, got 0\.\.3"):
        confusion_histogram(PREDICTED + (PREDICTED == 2), TRUTH, class_count=3)
    with pytest.raises(InputError, match=r"\(7,\).*\(3,\)"):
        confusion_histogram(PREDICTED, TRUTH[:3], class_count=3)


def test_dice():
    assert dice(np.array([[5, 1], [2, 3]])) == pytest.approx(6 / 9)
    assert dice(np.array([[5, 0], [0, 0]])) == 1
    assert dice(np.array([[5, 1], [0, 0]])) == 0
