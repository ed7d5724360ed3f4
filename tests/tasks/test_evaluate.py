"""Scores of arrays and of paired files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

from napari_unetseg.tasks.evaluate import evaluate, evaluate_files
from napari_unetseg.tasks.jobs import finish

TRUTH = np.zeros((16, 16), np.uint16)
TRUTH[2:6, 2:6] = 1
TRUTH[8:12, 8:12] = 2
MISSING_ONE = np.where(TRUTH == 2, 0, TRUTH)


def test_the_truth_scores_one() -> None:
    scores = evaluate(TRUTH, TRUTH)
    assert (scores["ap"]["0.50"], scores["ap"]["0.90"], scores["mean_ap"], scores["pq"], scores["dice"]) == (
        1,
        1,
        1,
        1,
        1,
    )


def test_a_missed_object_halves_the_average_precision() -> None:
    assert evaluate(MISSING_ONE, TRUTH)["ap"]["0.50"] == 0.5


def test_folders_are_paired_and_bad_pairs_reported(tmp_path: Path) -> None:
    for folder, arrays in {"found": (TRUTH, MISSING_ONE, TRUTH[:8]), "truth": (TRUTH, TRUTH, TRUTH)}.items():
        (tmp_path / folder).mkdir()
        ending = "_labels.tif" if folder == "found" else ".tif"
        for name, array in zip("abc", arrays, strict=True):
            tifffile.imwrite(tmp_path / folder / (name + ending), array)
    events = list(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    assert [event.error is None for event in events] == [True, True, False]
    assert "(8, 16)" in events[2].error
    scores = finish(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    assert scores["ap"]["0.50"] == 0.75
    assert [row["name"] for row in scores["per_image"]] == ["a.tif", "b.tif"]
    json.dumps(scores)
