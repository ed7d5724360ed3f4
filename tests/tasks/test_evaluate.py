"""Scores of arrays and of paired files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

from napari_unetseg.schema.events import ItemDone, Note
from napari_unetseg.tasks.evaluate import evaluate, evaluate_files, evaluate_series
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


RENUMBERED = np.stack([TRUTH, TRUTH * 7])


def test_ids_need_not_agree_from_frame_to_frame() -> None:
    scores = evaluate_series(RENUMBERED, np.stack([TRUTH, TRUTH]))
    assert (scores["mean_ap"], scores["objects_truth"]) == (1, 4)


def _write(folder: Path, array: np.ndarray, axes: str) -> Path:
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", array, ome=True, metadata={"axes": axes})
    return folder / "a.tif"


def test_a_time_series_is_scored_frame_by_frame(tmp_path: Path) -> None:
    found = _write(tmp_path / "found", RENUMBERED, "TYX")
    truth = _write(tmp_path / "truth", np.stack([TRUTH, TRUTH]), "TYX")
    scores = finish(evaluate_files(found, truth))
    assert scores["mean_ap"] == 1
    assert [row["name"] for row in scores["per_image"]] == ["a.tif t0", "a.tif t1"]


def test_slices_that_were_not_linked_are_noticed(tmp_path: Path) -> None:
    found = _write(tmp_path / "found", np.stack([TRUTH, np.where(TRUTH, TRUTH + 2, 0)]).astype(np.uint16), "ZYX")
    truth = _write(tmp_path / "truth", np.stack([TRUTH, TRUTH]), "ZYX")
    events = list(evaluate_files(found, truth))
    assert any(isinstance(event, Note) and "--link" in event.message for event in events)
    assert not any(isinstance(event, Note) for event in evaluate_files(truth, truth))
    assert isinstance(events[-1], ItemDone)


def test_the_truth_may_be_one_mask_per_cell(tmp_path: Path) -> None:
    for cell in (1, 2):
        folder = tmp_path / "truth" / "a" / "masks"
        folder.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(folder / f"{cell}.tif", (cell == TRUTH).astype(np.uint8) * 255)
    (tmp_path / "found").mkdir()
    tifffile.imwrite(tmp_path / "found" / "a_labels.tif", MISSING_ONE)
    events = list(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    layout, summary = (event.message for event in events if isinstance(event, Note))
    assert "truth: 1 folder of masks, one mask per cell" in layout
    assert summary.endswith("truth: 2 masks merged into 1 label map")
    scores = finish(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    assert (scores["ap"]["0.50"], scores["objects_truth"]) == (0.5, 2)
    assert scores["per_image"][0]["name"] == "a"


def test_masks_of_volumes_keep_the_axes_of_their_files(tmp_path: Path) -> None:
    volume = np.stack([TRUTH, TRUTH])
    folder = tmp_path / "truth" / "a"
    folder.mkdir(parents=True)
    for cell in (1, 2):
        tifffile.imwrite(folder / f"{cell}.tif", (volume == cell).astype(np.uint8), ome=True, metadata={"axes": "TYX"})
    _write(tmp_path / "found", volume, "TYX")
    scores = finish(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    assert [row["name"] for row in scores["per_image"]] == ["a t0", "a t1"]


def test_a_guess_of_the_axes_is_told_once_and_can_be_corrected(tmp_path: Path) -> None:
    for folder in ("found", "truth"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            np.save(tmp_path / folder / f"{name}.npy", np.stack([TRUTH, TRUTH]))
    events = list(evaluate_files(tmp_path / "found", tmp_path / "truth"))
    guess = "2 planes of 16x16 without metadata: taken for ZYX; pass --axes to change"
    assert [event.message for event in events if isinstance(event, Note)] == [f"a.npy and 1 other: {guess}"]
    corrected = evaluate_files(tmp_path / "found", tmp_path / "truth", axes="TYX")
    assert [row["name"] for row in finish(corrected)["per_image"]] == ["a.npy t0", "a.npy t1", "b.npy t0", "b.npy t1"]


def test_what_one_side_says_is_no_guess(tmp_path: Path) -> None:
    found = _write(tmp_path / "found", RENUMBERED, "TYX")
    np.save(tmp_path / "truth.npy", np.stack([TRUTH, TRUTH]))
    assert not any(isinstance(event, Note) for event in evaluate_files(found, tmp_path / "truth.npy"))
