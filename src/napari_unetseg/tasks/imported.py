"""What came of an import: the pairs that were written, and what a person should know of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.label_ids import IGNORE
from napari_unetseg.labels.classes import WHITE
from napari_unetseg.labels.ids import compact
from napari_unetseg.labels.scattered import describe_scattered, is_scattered
from napari_unetseg.schema.events import ItemDone
from napari_unetseg.schema.words import counted


@dataclass(slots=True)
class Imported:
    """What came of an import: an entry for each image, and what was lost on the way."""

    images: Path
    labels: Path
    is_semantic: bool = False
    """Labels are classes."""
    classes: tuple[str, ...] = ()
    """Names of the classes 1, 2, ... if they have some."""
    items: list[ItemDone] = field(default_factory=list)
    shared: int = 0
    """Pixels that lie in more than one object."""
    ignored: int = 0
    """Pixels that are -1, "not annotated"."""
    skipped: Counter[str] = field(default_factory=Counter)
    """How often something in the annotations made no object, by what it was."""
    without_annotation: list[Path] = field(default_factory=list)
    """Images that nothing is known of; they are not written."""


class Tally:
    """Adds up what is lost on the way, and where most of it was."""

    def __init__(self, result: Imported) -> None:
        self._result = result
        self._shared: dict[str, int] = {}
        self._skipped: dict[str, str] = {}
        self._keeper = ""
        self._empty: list[str] = []
        self._whole: list[str] = []
        self._seen: set[int] = set()
        self._scattered: list[list[bool]] = []
        self.without_palette: list[str] = []
        """Why some labels have no palette PNG."""

    def add(self, name: str, drawn: Drawn, labels: np.ndarray) -> None:
        """Take in one image."""
        result = self._result
        result.shared += drawn.shared
        result.ignored += int(np.count_nonzero(labels == IGNORE)) if labels.dtype.kind == "i" else 0
        result.skipped.update(drawn.skipped)
        self._keeper = drawn.keeper
        if drawn.shared:
            self._shared[name] = drawn.shared
        for what in drawn.skipped:
            self._skipped.setdefault(what, name)
        ids = np.unique(labels[labels > 0]).tolist()
        if result.classes:
            self._seen.update(ids)
        if not ids:
            self._empty.append(name)
        elif ids == [WHITE] and not result.is_semantic:
            self._whole.append(name)
        elif not result.is_semantic:
            self._scattered.append(is_scattered(compact(labels)[0]))

    def sentences(self) -> list[str]:
        """Say what a person should know."""
        result, texts = self._result, []
        if self._shared:
            most = max(self._shared, key=lambda name: self._shared[name])
            texts.append(
                f"{counted(result.shared, 'pixel')} in more than one object (most in {most}: {self._shared[most]:,}), "
                f"kept by {self._keeper}"
            )
        texts += [
            f"skipped: {what}, {counted(number, 'time')} (first in {self._skipped[what]})"
            for what, number in result.skipped.items()
        ]
        if result.ignored:
            texts.append(
                f"{counted(result.ignored, 'pixel')} not annotated: -1 in the label files, which 'train' learns "
                "nothing from and 'evaluate' does not score"
            )
        if self._whole:
            texts.append(
                f"{counted(len(self._whole), 'label map')} of 0 and {WHITE} alone ({_listed(self._whole)}): a mask, in "
                "which all cells are one object; number the cells, or import classes with --semantic"
            )
        if what := describe_scattered(self._scattered):
            texts.append(
                f"the label maps hold {what}; 'train' refuses them as objects. If they are classes, import them with "
                "--semantic (and --overwrite); if not, give every cell its own number"
            )
        if self._seen and len(self._seen) < len(result.classes):
            unseen = [name for number, name in enumerate(result.classes, start=1) if number not in self._seen]
            texts.append(
                f"{counted(len(unseen), 'class', 'classes')} without a pixel in these label files: {_listed(unseen)}; "
                "'train' cannot learn a class that no file shows"
            )
        if self._empty:
            texts.append(f"{counted(len(self._empty), 'image')} without an object: {_listed(self._empty)}")
        if self.without_palette:
            texts.append(f"{counted(len(self.without_palette), 'palette')} not written: {self.without_palette[0]}")
        if left := [path.name for path in result.without_annotation]:
            texts.append(f"{counted(len(left), 'image')} without annotations, left out: {_listed(left)}")
        return texts


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
