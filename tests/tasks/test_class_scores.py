"""Scores of classes have names and meanings that people read."""

from __future__ import annotations

import numpy as np

from napari_unetseg.tasks.class_scores import SCORES, named_scores
from napari_unetseg.tasks.evaluate import evaluate

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])


def test_two_classes_have_all_scores_in_order() -> None:
    named = named_scores(evaluate(TRUTH, TRUTH, is_semantic=True))
    assert [score.name for score in named[:2]] == ["IoU of class 0", "IoU of class 1"]
    assert [score.name for score in named[2:]] == [name for name, _ in SCORES.values()]
    assert all(score.meaning for score in named)


def test_what_is_not_defined_is_left_out_but_every_class_stays() -> None:
    truth = np.where(TRUTH == 1, 2, 0)
    named = {score.name: score.value for score in named_scores(evaluate(truth, truth, is_semantic=True))}
    assert named["IoU of class 1"] is None
    assert named["IoU of class 2"] == 1
    assert not any("Rand" in name or "variation" in name for name in named)


def test_classes_carry_their_names_as_far_as_they_go() -> None:
    scores = evaluate(np.where(TRUTH == 1, 2, 0), TRUTH, is_semantic=True)
    names = [score.name for score in named_scores(scores, names=("background", "class 1"))[:3]]
    assert names == ["IoU of class 0 (background)", "IoU of class 1", "IoU of class 2"]
