"""Say the scores of classes in words: what each is called, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from napari_unetseg.schema.words import FOREGROUND_IOU

REGIONS = "the regions that the background falls into, where there are two classes"
SCORES = {
    "foreground_iou": (
        FOREGROUND_IOU,
        "Mean of the IoU of the classes but for the background, class 0",
    ),
    "mean_iou": ("mean IoU, all classes", "Mean of the IoU of all classes, the background among them"),
    "fw_iou": ("frequency-weighted IoU", "Mean of the IoU of all classes, each with the weight of its true pixels"),
    "pixel_error": ("pixel error", "Share of pixels that have another class than in the truth"),
    "pixel_accuracy": ("pixel accuracy", "Share of pixels that have the class of the truth"),
    "mean_class_accuracy": (
        "mean class accuracy",
        "Of each class, the share of its true pixels that were found; the mean of all classes",
    ),
    "rand_error": (
        "adapted Rand error, regions",
        f"1 - F over pairs of pixels that lie in one region: 0 if the same pairs do in the truth. Of {REGIONS}",
    ),
    "voi_split": (
        "variation of information, split",
        f"Bits by which true regions are cut into several; 0 if none is. Of {REGIONS}",
    ),
    "voi_merged": (
        "variation of information, merged",
        f"Bits by which several true regions have become one; 0 if none have. Of {REGIONS}",
    ),
    "warping_error": (
        "warping error",
        f"Share of pixels that are wrong even if every border may be shifted and be of any thickness. Of {REGIONS}",
    ),
    "split_merge_error": (
        "warping error, splits and mergers",
        f"The same of the pixels alone that split a region or merge some, without specks and holes. Of {REGIONS}",
    ),
    "splits": ("splits in an image", f"How many pieces too many borders cut regions into. Of {REGIONS}"),
    "mergers": ("mergers in an image", f"How many regions too few gaps in borders leave. Of {REGIONS}"),
}
IOU = "Pixels that have the class in both, over pixels that have it in either; none where no pixel has it"


@dataclass(frozen=True, slots=True)
class NamedScore:
    """A score as people read it; `value` is none where it is not defined."""

    name: str
    value: float | None
    meaning: str


def named_scores(scores: Mapping[str, Any], *, names: Sequence[str] = ()) -> list[NamedScore]:
    """Return the IoU of each class, then the other scores of `class_metrics.summarize_classes` that are defined.

    `names` are those of the classes, the background first; a class that has none is called by its number.
    """
    classes = classes_called(len(scores["iou"]), names=names)
    iou = [NamedScore(f"IoU of {name}", value, IOU) for name, value in zip(classes, scores["iou"], strict=True)]
    rest = [NamedScore(name, scores[key], meaning) for key, (name, meaning) in SCORES.items()]
    return [*iou, *(score for score in rest if score.value is not None)]


def classes_called(count: int, *, names: Sequence[str] = ()) -> list[str]:
    """Return what each of `count` classes is called: "class 1 (membrane)", or by its number if it has no name."""
    known = dict(enumerate(names))
    return [_called(number, known.get(number, "")) for number in range(count)]


def _called(number: int, name: str) -> str:
    return f"class {number}" if name in {"", f"class {number}"} else f"class {number} ({name})"
