"""What a running task yields: small frozen facts that a progress bar, a log or a dock can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class TileDone:
    """`done` of `total` tiles are predicted; `item` names the image they belong to."""

    done: int
    total: int
    item: str = ""


@dataclass(frozen=True, slots=True)
class ItemDone:
    """One input of several is finished: written to `output` with `objects` found, or failed with `error`."""

    item: str
    done: int
    total: int
    output: Path | None = None
    objects: int = 0
    seconds: float = 0.0
    error: str | None = None
    axes: str = ""
    """How an image was read, such as "ZYX", or "ZYX (guess)"."""


@dataclass(frozen=True, slots=True)
class StepDone:
    """One optimiser step: its training loss and learning rate, and the seconds trained so far."""

    step: int
    loss: float
    learning_rate: float
    seconds: float
    fraction: float
    """Share of the budget (steps or minutes) that is used, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Validated:
    """The network was scored on the validation images: average precision at IoU 0.5 and mean over 0.5..0.9."""

    step: int
    ap50: float
    mean_ap: float
    is_kept: bool
    seconds: float
    on_training: bool = False
    """The score is on the training objects themselves, as there are none to hold back: it says nothing of others."""
    foreground_iou: float | None = None
    """Where classes are learnt, which have no average precision (0 then): mean IoU of those but for the background."""

    @property
    def measure(self) -> str:
        """What the scores are called."""
        return "AP" if self.foreground_iou is None else "IoU"

    @property
    def shown(self) -> float:
        """The score that people are shown: AP at IoU 0.5, or the mean IoU of classes."""
        return self.ap50 if self.foreground_iou is None else self.foreground_iou

    @property
    def value(self) -> float:
        """The score by which the best network is chosen."""
        return self.mean_ap if self.foreground_iou is None else self.foreground_iou


@dataclass(frozen=True, slots=True)
class Previewed:
    """What the network in training makes of a field somebody looks at; `where` is what came with that field."""

    labels: np.ndarray
    where: Any
    step: int


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Labels painted during the training were taken over: so many objects in so many images from this step on."""

    objects: int
    images: int
    step: int


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """What the network in training finds in a held-back image, before the scores of all are told (`Validated`)."""

    name: str
    image: np.ndarray
    """A part of it, (3, Y, X) of colours or (1, Y, X), from 0 to 1."""
    truth: np.ndarray
    """(Y, X); 0 background, -1 not annotated."""
    found: np.ndarray
    score: float
    """Of the whole image: AP at IoU 0.5, or the mean IoU of classes."""
    classes: tuple[str, ...] = ()
    """Names of the classes 1, 2, ...; none: labels are of objects."""

    @property
    def is_of_classes(self) -> bool:
        """Whether labels are of classes."""
        return bool(self.classes)


@dataclass(frozen=True, slots=True)
class Saved:
    """A file now stands complete under its final name."""

    path: Path


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know: a guess taken, a fallback used, an input skipped."""

    message: str


@dataclass(frozen=True, slots=True, eq=False)
class LabelsPart:
    """Labels of a part of the result: of one tile, as a preview, or the final ones of a plane or volume."""

    region: tuple[slice, slice, slice, slice]
    """Where it lies along T, Z, Y, X."""
    labels: np.ndarray
    """Array ([Z,] Y, X)."""
    is_final: bool = False
    maps: np.ndarray | None = None
    """With final labels: the maps (K, [Z,] Y, X) they were decoded from."""


Event = TileDone | ItemDone | StepDone | Validated | Previewed | Relabelled | Sampled | Saved | Note | LabelsPart
