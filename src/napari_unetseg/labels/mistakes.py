"""Name the mistakes of a label map: objects missed, invented, merged, or split; as a table and as a map of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from napari_unetseg.labels.measure import measure_objects
from napari_unetseg.labels.metrics import matched_pairs
from napari_unetseg.labels.overlap import Overlaps

Mistake = Literal["missed", "spurious", "merged", "split"]
MISTAKES: tuple[Mistake, ...] = get_args(Mistake)
"""In the order of their values in the error map, 1 to 4; where two lie on a pixel, the later one is shown."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What became of each object, by its index in the overlaps: 0 matched, else 1 + the place in `MISTAKES`.

    `partner` is the index of the object of the other map that it is matched with, merged into, or split from; else the
    one that it overlaps best; 0 where it overlaps none. `iou` belongs to that pair.
    """

    truth: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    truth_partner: NDArray[np.int64]
    predicted_partner: NDArray[np.int64]
    truth_iou: NDArray[np.float64]
    predicted_iou: NDArray[np.float64]


def judge(pairs: Overlaps) -> Verdicts:
    """Judge true objects (first of the overlaps) and predicted ones (second).

    matched     IoU of 0.5 or more, as in AP@0.5, F1 and PQ: their counts agree
    merged      a predicted object holds more than half of each of several true ones
    split       more than half of each of several predicted objects lies in one true one
    missed, spurious    everything else, of the truth and of the prediction
    """
    truth = np.full(len(pairs.first_area), 1, np.uint8)
    predicted = np.full(len(pairs.second_area), 2, np.uint8)
    truth_partner, truth_iou = _best(pairs.first, pairs.second, pairs.iou, count=len(truth))
    predicted_partner, predicted_iou = _best(pairs.second, pairs.first, pairs.iou, count=len(predicted))

    holders, held = _several(pairs, whole=pairs.first_area[pairs.first], holder=pairs.second)
    truth[pairs.first[held]], predicted[holders] = 3, 3
    truth_partner[pairs.first[held]], truth_iou[pairs.first[held]] = pairs.second[held], pairs.iou[held]
    holders, held = _several(pairs, whole=pairs.second_area[pairs.second], holder=pairs.first)
    predicted[pairs.second[held]], truth[holders] = 4, 4
    predicted_partner[pairs.second[held]], predicted_iou[pairs.second[held]] = pairs.first[held], pairs.iou[held]

    same = matched_pairs(pairs)
    truth[pairs.first[same]], predicted[pairs.second[same]] = 0, 0
    truth_partner[pairs.first[same]], predicted_partner[pairs.second[same]] = pairs.second[same], pairs.first[same]
    truth_iou[pairs.first[same]] = predicted_iou[pairs.second[same]] = pairs.iou[same]
    for verdict, area in ((truth, pairs.first_area), (predicted, pairs.second_area)):
        verdict[area == 0] = 0  # background, and objects of ignored pixels only
    return Verdicts(truth, predicted, truth_partner, predicted_partner, truth_iou, predicted_iou)


def error_map(
    predicted: NDArray[Any], truth: NDArray[Any], *, pairs: Overlaps, verdicts: Verdicts
) -> NDArray[np.uint8]:
    """Return 0 where all is well, and 1 to 4 (`MISTAKES`) on the pixels of the objects concerned."""
    in_truth = _looked_up(truth, pairs.first_ids, verdicts.truth)
    in_prediction = _looked_up(predicted, pairs.second_ids, verdicts.predicted)
    errors = np.maximum(in_truth, in_prediction)
    errors[truth < 0] = 0
    return errors


def object_table(predicted: NDArray[Any], truth: NDArray[Any], *, pairs: Overlaps, verdicts: Verdicts) -> pd.DataFrame:
    """Return one row per object of either map: map, label, verdict, partner, IoU, place and size."""
    sides = (
        ("truth", truth, pairs.first_ids, pairs.second_ids, verdicts.truth, verdicts.truth_partner, verdicts.truth_iou),
        (
            "labels",
            predicted,
            pairs.second_ids,
            pairs.first_ids,
            verdicts.predicted,
            verdicts.predicted_partner,
            verdicts.predicted_iou,
        ),
    )
    names = np.array(["matched", *MISTAKES])
    tables = []
    for name, labels, ids, other_ids, verdict, partner, iou in sides:
        head = pd.DataFrame({"map": name, "label": ids[1:].astype(np.int64), "verdict": names[verdict[1:]]})
        head["partner"] = other_ids[partner[1:]].astype(np.int64)
        head["iou"] = np.round(iou[1:], 4)
        measured = measure_objects(labels, None, scale={}).drop(columns="label")
        kept = [column for column in measured if str(column).startswith(("centroid", "area", "volume", "bbox"))]
        tables.append(pd.concat([head, measured[kept]], axis="columns"))
    return pd.concat(tables, ignore_index=True)


def count_mistakes(table: pd.DataFrame) -> dict[str, int]:
    """Return how many true objects were matched, missed, merged, split, and how many found ones are spurious.

    A true object of which one piece matches and others lie beside counts as matched and as split.
    """
    is_truth = table["map"] == "truth"
    counts = {name: int((is_truth & (table["verdict"] == name)).sum()) for name in ("matched", "missed", "merged")}
    is_split = table["verdict"] == "split"
    frame = [name for name in ("t",) if name in table]
    whole = table[is_truth & is_split][[*frame, "label"]]
    pieces = table[~is_truth & is_split][[*frame, "partner"]].rename(columns={"partner": "label"})
    counts["split"] = len(pd.concat([whole, pieces]).drop_duplicates())
    counts["spurious"] = int((~is_truth & (table["verdict"] == "spurious")).sum())
    return counts


def _best(
    side: NDArray[np.int64], other: NDArray[np.int64], iou: NDArray[np.float64], *, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each object of one side the best overlapping one of the other (0: none), and the IoU."""
    partner, best = np.zeros(count, np.int64), np.zeros(count)
    order = np.argsort(iou, kind="stable")  # written in this order, the best one is what remains
    partner[side[order]], best[side[order]] = other[order], iou[order]
    return partner, best


def _several(
    pairs: Overlaps, *, whole: NDArray[np.int64], holder: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return the holders of more than half of several objects, and the pairs that say so."""
    holds_most = np.flatnonzero(2 * pairs.shared > whole)
    holders, count = np.unique(holder[holds_most], return_counts=True)
    several = holders[count > 1]
    return several, holds_most[np.isin(holder[holds_most], several)]


def _looked_up(
    labels: NDArray[Any], ids: Sequence[int] | NDArray[Any], verdict: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    result = np.zeros(labels.shape, np.uint8)
    wrong = np.flatnonzero(verdict)
    if len(wrong):
        where = np.flatnonzero(labels)
        index = np.searchsorted(ids, np.maximum(labels.ravel()[where], 0))
        result.ravel()[where] = verdict[index]
    return result
