"""Each mistake has its name, and the counts agree with the scores."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels import mistakes
from napari_unetseg.labels.metrics import overlaps_with_truth, score_pairs

# truth    1 found, 2 missed, 3 and 4 merged, 5 split in two, 6 found in part
# labels   1 right, 20 and 21 halves of 5, 30 over 3 and 4, 40 invented, 6 a little smaller
TRUTH = np.array([[1, 1, 0, 2, 2, 0, 3, 3, 4, 4, 0, 5, 5, 5, 5, 0, 0, 0, 6, 6, 6]] * 2, np.int32)
LABELS = np.array([[1, 1, 0, 0, 0, 0, 30, 30, 30, 30, 0, 20, 20, 21, 21, 0, 40, 0, 6, 6, 0]] * 2, np.uint32)


@pytest.fixture
def judged():
    pairs = overlaps_with_truth(LABELS, TRUTH)
    return pairs, mistakes.judge(pairs)


def test_the_map_shows_each_mistake_on_its_objects(judged):
    pairs, verdicts = judged
    errors = mistakes.error_map(LABELS, TRUTH, pairs=pairs, verdicts=verdicts)
    # One half of 5 has an IoU of exactly 0.5 and counts as found; the same holds for 3 under 30.
    expected = [0, 0, 0, 1, 1, 0, 0, 0, 3, 3, 0, 0, 0, 4, 4, 0, 2, 0, 0, 0, 0]
    np.testing.assert_array_equal(errors[0], expected)


def test_merged_and_split_objects_without_a_match_are_marked_whole():
    truth = np.array([[1, 1, 2, 2, 3, 3, 0, 4, 4, 4, 4, 4, 4]])
    labels = np.array([[1, 1, 1, 1, 1, 1, 0, 4, 4, 5, 5, 6, 6]])
    pairs = overlaps_with_truth(labels, truth)
    verdicts = mistakes.judge(pairs)
    errors = mistakes.error_map(labels, truth, pairs=pairs, verdicts=verdicts)
    np.testing.assert_array_equal(errors, [[3] * 6 + [0] + [4] * 6])
    assert mistakes.count_mistakes(mistakes.object_table(labels, truth, pairs=pairs, verdicts=verdicts)) == {
        "matched": 0,
        "missed": 0,
        "spurious": 0,
        "merged": 3,
        "split": 1,
    }


def test_the_table_names_partners_and_its_counts_agree_with_the_scores(judged):
    pairs, verdicts = judged
    table = mistakes.object_table(LABELS, TRUTH, pairs=pairs, verdicts=verdicts)
    rows = table.set_index(["map", "label"])
    assert rows.loc[("truth", 6), ["verdict", "partner"]].tolist() == ["matched", 6]
    assert rows.loc[("truth", 6), "iou"] == pytest.approx(2 / 3, abs=1e-4)
    assert rows.loc[("truth", 2), ["verdict", "partner"]].tolist() == ["missed", 0]
    assert rows.loc[("truth", 4), ["verdict", "partner"]].tolist() == ["merged", 30]
    assert rows.loc[("labels", 21), ["verdict", "partner"]].tolist() == ["split", 5]
    assert rows.loc[("labels", 40), "verdict"] == "spurious"
    scores = score_pairs(pairs)
    of_truth = table[table["map"] == "truth"]
    assert (of_truth["verdict"] == "matched").sum() == scores.counts[0].true_positive
    assert (of_truth["verdict"] != "matched").sum() == scores.counts[0].false_negative
    counts = mistakes.count_mistakes(table)
    assert counts == {"matched": 4, "missed": 1, "merged": 1, "split": 1, "spurious": 1}  # 5 is matched and split


def test_what_the_truth_ignores_is_no_mistake():
    truth, labels = np.array([[-1, -1, 1, 1]]), np.array([[7, 7, 1, 1]])
    pairs = overlaps_with_truth(labels, truth)
    verdicts = mistakes.judge(pairs)
    assert not mistakes.error_map(labels, truth, pairs=pairs, verdicts=verdicts).any()


def test_empty_maps_have_no_mistakes():
    empty = np.zeros((3, 4), np.uint8)
    pairs = overlaps_with_truth(empty, empty)
    verdicts = mistakes.judge(pairs)
    assert not mistakes.error_map(empty, empty, pairs=pairs, verdicts=verdicts).any()
    assert len(mistakes.object_table(empty, empty, pairs=pairs, verdicts=verdicts)) == 0
