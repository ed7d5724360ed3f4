"""What a running task yields: small frozen facts that a progress bar, a log or a dock can show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


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
    is_best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Saved:
    """A file now stands complete under its final name."""

    path: Path


@dataclass(frozen=True, slots=True)
class Note:
    """Something the user should know: a guess taken, a fallback used, an input skipped."""

    message: str


Event = TileDone | ItemDone | StepDone | Validated | Saved | Note
