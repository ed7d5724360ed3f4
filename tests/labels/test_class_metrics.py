"""Scores of class maps against hand-computed cases."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.class_metrics import score_classes, summarize_classes
from napari_unetseg.schema.errors import InputError

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 2, -1]])
FOUND = np.array([[0, 1, 1, 1], [0, 0, 0, 2]])


def test_every_class_is_scored_and_ignored_pixels_are_not() -> None:
    scores = summarize_classes([score_classes(FOUND, TRUTH, count=3)])
    assert scores["iou"] == [3 / 5, 2 / 3, 0]
    assert scores["foreground_iou"] == pytest.approx(1 / 3)
    assert scores["pixel_error"] == pytest.approx(2 / 7)
    assert scores["rand_error"] is None  # regions are those of two classes
    assert scores["warping_error"] is None
    assert scores["classes"] == 3


def test_cells_in_the_place_of_true_classes_are_refused() -> None:
    cells, found = np.arange(199)[None], np.minimum(np.arange(199), 2)[None]
    with pytest.raises(
        InputError, match=r"truth holds ids up to 198, as a map of objects .* classes up to 2; .*--objects"
    ):
        score_classes(found, cells)
    assert len(score_classes(found[:, :23], cells[:, :23]).histogram) == 23  # 20 classes that were missed
    with pytest.raises(InputError, match="ids up to 23"):
        score_classes(found[:, :24], cells[:, :24])
    many = np.arange(40)[None]
    assert summarize_classes([score_classes(many, many)])["foreground_iou"] == 1


def test_pixels_are_pooled_over_images_of_different_classes() -> None:
    pair = [score_classes(FOUND, TRUTH), score_classes(np.array([[0, 1]]), np.array([[0, 1]]))]
    scores = summarize_classes(pair, ["a", "b"])
    assert scores["iou"] == [4 / 6, 3 / 4, 0]
    assert [row["name"] for row in scores["per_image"]] == ["a", "b"]
    assert scores["per_image"][1]["pixel_error"] == 0


def test_regions_of_two_classes_are_scored_as_means_over_images() -> None:
    truth = np.zeros((8, 9), int)
    truth[:, 4] = 1
    merged = score_classes(np.zeros_like(truth), truth)
    scores = summarize_classes([score_classes(truth, truth), merged])
    assert scores["rand_error"] == pytest.approx(merged.regions["rand_error"] / 2)
    assert scores["voi_merged"] == pytest.approx(0.5)


def test_warping_is_scored_as_means_over_images_if_it_was_measured() -> None:
    truth = np.zeros((8, 9), int)
    truth[:, 4] = 1
    pairs = [(truth, truth), (np.zeros_like(truth), truth)]
    scores = summarize_classes([score_classes(*pair) for pair in pairs])
    assert [row["warping_error"] for row in scores["per_image"]] == [0, 8 / 72]
    assert (scores["warping_error"], scores["split_merge_error"]) == (4 / 72, 4 / 72)
    assert (scores["splits"], scores["mergers"]) == (0, 0.5)
    scores = summarize_classes([score_classes(*pair, has_warping=False) for pair in pairs])
    assert (scores["warping_error"], scores["mergers"]) == (None, None)
    assert scores["rand_error"] > 0


def test_pixels_that_nobody_knows_are_not_warped() -> None:
    truth, found = np.zeros((8, 9), int), np.zeros((8, 9), int)
    truth[:, 4] = -1
    truth[3, 4] = 1
    assert score_classes(found, truth).regions["warping_error"] == 1 / 65
    truth[3, 4] = -1
    assert score_classes(found, truth).regions["warping_error"] == 0


def test_where_there_is_nothing_to_find_nothing_is_wrong() -> None:
    nothing = np.zeros((4, 4), int)
    scores = summarize_classes([score_classes(nothing, nothing)])
    assert (scores["foreground_iou"], scores["pixel_error"]) == (1, 0)
    assert summarize_classes([])["pixel_error"] is None


def test_a_mask_of_8_bits_is_scored_as_class_1() -> None:
    assert summarize_classes([score_classes(np.eye(4, dtype=np.uint8), 255 * np.eye(4, dtype=np.uint8))])["iou"] == [
        1,
        1,
    ]


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InputError, match="same size"):
        score_classes(FOUND, TRUTH[:1])
    with pytest.raises(InputError, match="prediction cannot hold -1"):
        score_classes(TRUTH, TRUTH)
