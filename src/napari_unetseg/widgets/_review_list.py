"""The objects under review: what is known of each, in which order they come, which have been looked at."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from napari_unetseg.labels import edit
from napari_unetseg.labels.doubt import describe_one, shape_doubt
from napari_unetseg.schema.events import Event
from napari_unetseg.tasks.review import survey

Order = Literal["doubt", "smallest", "largest", "border"]
Key = tuple[int, int]
"""Frame (0 without time) and label."""


@dataclass(frozen=True, slots=True)
class Item:
    """One object: its box and centre in its frame ([Z,] Y, X), and what it is ordered by."""

    key: Key
    box: edit.Box
    centre: tuple[float, ...]
    size: int
    fill: float
    touches_border: bool
    doubt: float
    is_there: bool = True


@dataclass(slots=True)
class ReviewList:
    """Objects by key. Objects that an edit has removed stay, marked, since undo may bring them back."""

    items: dict[Key, Item] = field(default_factory=dict)
    reviewed: set[Key] = field(default_factory=set)
    from_confidence: bool = False
    """Whether doubt comes from a column `confidence`, not from shape and size."""

    @property
    def total(self) -> int:
        """Number of objects that are there."""
        return sum(item.is_there for item in self.items.values())

    @property
    def done(self) -> int:
        """Number of objects that are there and reviewed."""
        return sum(self.items[key].is_there for key in self.reviewed if key in self.items)

    @property
    def highest(self) -> int:
        """The largest label known."""
        return max((label for _, label in self.items), default=0)

    def ordered(self, order: Order) -> list[Key]:
        """Return the keys of the objects that are there; equal ones in the order of frames and labels."""
        there = sorted((item for item in self.items.values() if item.is_there), key=lambda item: item.key)
        match order:
            case "doubt":
                there.sort(key=lambda item: -item.doubt)
            case "smallest":
                there.sort(key=lambda item: item.size)
            case "largest":
                there.sort(key=lambda item: -item.size)
            case "border":
                there = [item for item in there if item.touches_border]
        return [item.key for item in there]

    def look_again(self, keys: Iterable[Key], frame_of: Any, *, near: edit.Box | None = None) -> None:
        """Measure these objects as they are now; `frame_of(t)` gives the frame of the labels.

        `near` is where objects are that are not in the list yet.
        """
        sizes, fills, touches = (
            np.array([getattr(item, name) for item in self.items.values()])
            for name in ("size", "fill", "touches_border")
        )
        for key in keys:
            frame, old = frame_of(key[0]), self.items.get(key)
            box = edit.find_box(frame, [key[1]], within=old.box if old else near)
            if box is None:
                if old:
                    self.items[key] = replace(old, is_there=False)
                continue
            row = describe_one(frame, key[1], box=box)
            both = (np.append(known, row[name]) for known, name in zip((sizes, fills, touches), _JUDGED, strict=True))
            self.items[key] = _item({**row, "t": key[0], "doubt": float(shape_doubt(*both)[-1])}, ndim=frame.ndim)


_JUDGED = ("size", "fill", "touches_border")


def read_list(labels: Any, *, axes: str, features: pd.DataFrame) -> Generator[Event, None, ReviewList]:
    """Survey the labels; confidence and what is reviewed already come from the layer's features, where they say so."""
    table = yield from survey(labels, axes=axes)
    confidence = _by_key(features, "confidence", table)
    if confidence is not None:
        known = confidence.astype(float).clip(0, 1)
        table["doubt"] = np.where(known.isna(), table["doubt"], 1 - known)
    ndim = len(axes.replace("T", ""))
    items = {item.key: item for item in (_item(row, ndim=ndim) for row in table.to_dict("records"))}
    reviewed = _by_key(features, "reviewed", table)
    done = set() if reviewed is None else {key for key, is_done in zip(items, reviewed, strict=True) if is_done is True}
    return ReviewList(items, done, from_confidence=confidence is not None)


def with_reviewed(features: pd.DataFrame, keys: Iterable[Key], *, reviewed: set[Key]) -> pd.DataFrame:
    """Return a layer's features with the column `reviewed` set for `keys`; rows that lack are added."""
    features = features.copy()
    if "index" not in features:
        features.insert(0, "index", np.arange(len(features)))  # what napari takes for granted without that column
    if "reviewed" not in features:
        features["reviewed"] = False
    for key in keys:
        rows = features["index"] == key[1]
        if "t" in features:
            rows &= features["t"] == key[0]
        if rows.any():
            features.loc[rows, "reviewed"] = key in reviewed
        else:
            new: dict[str, Any] = {"index": key[1], "reviewed": key in reviewed}
            new |= {"t": key[0]} if "t" in features else {}
            features = pd.concat([features, pd.DataFrame([new])], ignore_index=True)
    return features.assign(reviewed=features["reviewed"].eq(True))


def _item(row: dict[Any, Any], *, ndim: int) -> Item:
    axes = "zyx"[3 - ndim :]
    return Item(
        key=(int(row["t"]), int(row["label"])),
        box=tuple(slice(int(row[f"{axis}_min"]), int(row[f"{axis}_max"])) for axis in axes),
        centre=tuple(float(row[f"centroid_{axis}"]) for axis in axes),
        size=int(row["size"]),
        fill=float(row["fill"]),
        touches_border=bool(row["touches_border"]),
        doubt=float(row["doubt"]),
    )


def _by_key(features: pd.DataFrame, column: str, table: pd.DataFrame) -> pd.Series | None:
    """Return a column of the features for each row of the survey, NaN where they have none; none without the column."""
    name = next((one for one in ("index", "label") if one in features), None)
    if column not in features or name is None:
        return None
    keys = [name, "t"] if "t" in features else [name]
    known = features[[*keys, column]].drop_duplicates(keys).rename(columns={name: "label"})
    on = ["label", "t"] if "t" in features else ["label"]
    return table[on].merge(known, on=on, how="left")[column]
