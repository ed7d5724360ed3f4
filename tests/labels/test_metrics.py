import json

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from napari_unetseg.labels.metrics import THRESHOLDS, Counts, score, summarize
from napari_unetseg.schema.errors import InputError

# IoU: 1 with 10: 4/5, 2 with 20: 2/3; 3 and 30 stand alone.
TRUTH = np.array([[1, 1, 1, 1, 0, 2, 2, 0, 3, 0, 0]])
PREDICTED = np.array([[10, 10, 10, 10, 10, 20, 20, 20, 0, 0, 30]])
NOTHING = np.zeros((1, 11), int)


def test_hand_computed_scores():
    result = summarize([score(PREDICTED, TRUTH)], ["row"])
    two, one, none = 2 / 4, 1 / 5, 0
    expected = [two] * 4 + [one] * 3 + [none] * 2
    assert list(result["ap"]) == ["0.50", "0.55", "0.60", "0.65", "0.70", "0.75", "0.80", "0.85", "0.90"]
    assert list(result["ap"].values()) == pytest.approx(expected)
    assert result["mean_ap"] == pytest.approx(sum(expected) / 9)
    assert result["f1"] == pytest.approx(2 / 3)
    assert result["pq"] == pytest.approx((4 / 5 + 2 / 3) / 3)
    assert result["seg"] == pytest.approx((4 / 5 + 2 / 3 + 0) / 3)
    assert result["dice"] == pytest.approx(12 / (7 + 9))
    assert result["iou"] == pytest.approx([1 / 5, 6 / 10])
    assert result["pixel_accuracy"] == pytest.approx(7 / 11)
    assert (result["images"], result["objects_truth"], result["objects_predicted"]) == (1, 3, 3)
    (row,) = result["per_image"]
    assert row["name"] == "row"
    assert row["ap50"] == result["ap"]["0.50"] == result["ap_by_image"]["0.50"]


@pytest.mark.parametrize("percent", THRESHOLDS)
def test_thresholds_are_inclusive_and_exact(percent):
    truth = np.ones((1, 100), int)
    predicted = (np.arange(100) < percent)[None].astype(int)
    counts = dict(zip(THRESHOLDS, score(predicted, truth).counts, strict=True))
    assert counts[percent].true_positive == 1
    assert sum(c.true_positive for c in counts.values()) == THRESHOLDS.index(percent) + 1


def test_two_halves_match_once():
    whole, halves = np.array([[7, 7, 7, 7]]), np.array([[1, 1, 2, 2]])
    for predicted, truth in ((whole, halves), (halves, whole)):
        at_half, above = score(predicted, truth).counts[:2]
        assert at_half.true_positive == 1
        assert above.true_positive == 0
    assert score(halves, whole).seg_sum == 0  # neither covers more than half
    assert score(whole, halves).seg_sum == pytest.approx(1)  # both halves are covered, each with an IoU of 0.5


@pytest.mark.parametrize("seed", range(20))
def test_matching_is_as_good_as_an_optimal_assignment(seed):
    rng = np.random.default_rng(seed)
    truth = np.repeat(rng.integers(0, 9, 12), 6)
    predicted = np.where(rng.random(72) < 0.25, rng.integers(0, 9, 72), np.roll(truth, rng.integers(0, 3)))
    pairs = [[(truth == t) & (predicted == p) for p in range(1, 9)] for t in range(1, 9)]
    either = [[(truth == t) | (predicted == p) for p in range(1, 9)] for t in range(1, 9)]
    iou = np.sum(pairs, axis=2) / np.maximum(np.sum(either, axis=2), 1)
    for percent, counts in zip(THRESHOLDS, score(predicted[None], truth[None]).counts, strict=True):
        good = iou >= percent / 100 - 1e-12
        rows, columns = linear_sum_assignment(-(good + iou / 100))
        assert counts.true_positive == good[rows, columns].sum()
        assert counts.iou_sum == pytest.approx(iou[rows, columns][good[rows, columns]].sum())


def test_perfect_prediction_with_other_ids_scores_one():
    ids = np.array([0, 2**24 + 1, 5, 70_000], np.uint32)
    result = summarize([score(ids[TRUTH], TRUTH)])
    for key in ("mean_ap", "f1", "pq", "seg", "pixel_accuracy", "mean_class_accuracy", "mean_iou", "fw_iou", "dice"):
        assert result[key] == 1


def test_swapping_prediction_and_truth_changes_no_symmetric_score():
    there, back = summarize([score(PREDICTED, TRUTH)]), summarize([score(TRUTH, PREDICTED)])
    for key in ("ap", "f1", "pq", "dice", "iou"):
        assert there[key] == pytest.approx(back[key])


def test_counts_are_pooled_over_images_and_means_given_beside():
    images = [score(TRUTH, TRUTH), score(NOTHING, TRUTH[:, :6].repeat(2, axis=1)[:, :11])]
    result = summarize(images, ["good", "empty"])
    assert result["ap"]["0.50"] == pytest.approx(3 / 5)
    assert result["ap_by_image"]["0.50"] == pytest.approx(1 / 2)
    assert result["mean_ap_by_image"] == pytest.approx(1 / 2)
    assert result["seg"] == pytest.approx(3 / 5)
    assert [row["name"] for row in result["per_image"]] == ["good", "empty"]
    assert images[0].counts[0] + images[1].counts[0] == Counts(3, 0, 2, 3.0)


def test_empty_against_empty_is_right_and_never_nan():
    result = summarize([score(NOTHING, NOTHING)])
    assert result["mean_ap"] == result["f1"] == result["pq"] == result["dice"] == 1
    assert result["seg"] is None
    assert result["iou"] == [1, None]
    assert result["mean_iou"] == 1


@pytest.mark.parametrize(("predicted", "truth"), [(NOTHING, TRUTH), (TRUTH, NOTHING)])
def test_all_missed_or_all_invented_is_zero(predicted, truth):
    result = summarize([score(predicted, truth)])
    assert result["mean_ap"] == result["f1"] == result["pq"] == result["dice"] == 0


@pytest.mark.parametrize(
    "scores", [[], [score(NOTHING, NOTHING)], [score(NOTHING[:, :0], NOTHING[:, :0])], [score(PREDICTED, TRUTH)]]
)
def test_result_is_plain_json(scores):
    result = summarize(scores)
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_ignored_pixels_count_for_nothing():
    truth = TRUTH.copy()
    truth[0, [4, 7, 10]] = -1  # what was predicted too much
    result = summarize([score(PREDICTED, truth)])
    assert result["objects_predicted"] == 2
    assert list(result["ap"].values()) == pytest.approx([2 / 3] * 9)
    everything = summarize([score(PREDICTED, np.full_like(TRUTH, -1))])
    assert everything["mean_ap"] == 1
    assert everything["pixel_accuracy"] is None


def test_an_object_mostly_on_ignored_pixels_is_not_spurious():
    truth = np.array([[1, 1, 0, 0, -1, -1, -1]])
    neighbour, intruder = np.array([[1, 1, 0, 2, 2, 2, 2]]), np.array([[1, 1, 2, 2, 2, 0, 0]])
    assert score(neighbour, truth).mean_ap == 1
    assert score(intruder, truth).mean_ap == 0.5
    merged = np.array([[1, 1, 1, 1, 1, 1, 1]])
    assert score(merged, truth).counts[0].ap == 1  # of what is known it covers the half
    assert score(merged[:, :5], truth[:, :5]).counts[1].ap == 0


def test_volumes_and_series_work():
    truth = np.zeros((2, 3, 4, 4), np.uint16)
    truth[:, 1, 1:3, 1:3] = 1
    assert score(truth, truth).mean_ap == 1
    assert score(truth[0], truth[0]).objects_truth == 1


@pytest.mark.parametrize(
    ("predicted", "truth", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(2, 3\).*\(3, 2\)"),
        (np.zeros((2, 2)), np.zeros((2, 2), int), "float64"),
        (np.zeros((2, 2), int), np.zeros((2, 2)), "float64"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "only the truth can"),
        (np.zeros((2, 2), int), np.full((2, 2), -3), "got -3"),
    ],
)
def test_bad_input_is_refused(predicted, truth, message):
    with pytest.raises(InputError, match=message):
        score(predicted, truth)
