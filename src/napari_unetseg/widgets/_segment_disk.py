"""The Labels layer of a result on disk, larger than memory: read level by level as one looks, never held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from napari.layers import Labels, Layer

from napari_unetseg.images.results import Result as Place
from napari_unetseg.tasks.work import folder_of
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._destination import shortened
from napari_unetseg.widgets._segment_result import features_of, name_of


class ResultOnDisk:
    """Stands where a `Result` does; nothing is shown before the file is complete, and an earlier layer follows it."""

    kept = ""
    is_new, can_undo, is_edited = True, False, False
    is_touched = False

    def __init__(
        self, layer: Layer, *, axes: str, region: Mapping[str, slice], place: Place, is_semantic: bool = False
    ) -> None:
        self.axes = "".join(letter for letter in "TZYX" if letter in axes)
        lengths = dict(zip(axes.replace("S", ""), _layers.data_of(layer).shape, strict=False))
        starts = [region.get(letter, slice(None)).indices(lengths[letter])[0] for letter in self.axes]
        self._placement = _layers.shifted(_layers.placement(layer, axes=axes, kept=self.axes), starts)
        self.is_semantic, self.source_name = is_semantic, layer.name
        self.name, self.role = name_of(layer, is_semantic=is_semantic)
        self.place, self.file = place, place.labels
        self.layer: Labels | None = None
        self.levels: list[Any] = []
        """What is on disk, the finest first; set off the main thread once it is complete."""

    def is_shown(self, viewer: Any) -> bool:
        """Whether the layer is in the viewer."""
        return self.layer is not None and self.layer in viewer.layers

    def take_back(self) -> None:
        """Nothing is shown that could be taken back."""

    def finish(self, viewer: Any, *, facts: dict[str, Any], table: pd.DataFrame | None) -> None:
        """Show what is in the file now, in the layer that showed it before if there is one."""
        facts = {"role": self.role, "source": self.source_name, "axes": self.axes, "file": str(self.file), **facts}
        self.layer = self._earlier(viewer)
        if self.layer is None:
            self.layer = _layers.add_labels(
                viewer, self.levels, name=self.name, place=self._placement, facts={"file": str(self.file)}
            )
        else:
            self.layer.data = self.levels
            self.layer.visible = True
        self.layer.metadata[_layers.METADATA] = facts
        self.layer.features = features_of(table)

    def stop(self, viewer: Any, *, order: Any, word: str) -> str:
        """Say how a run goes on that was stopped."""
        is_begun = folder_of(self.file).exists()
        return f"{word}; what is finished is kept: press 'Go on'" if is_begun else f"{word}; nothing is changed"

    def notes(self) -> list[str]:
        """Say where the labels are."""
        labels, table = shortened(self.file.name), shortened(self.place.table.name)
        return [f"{labels} has the labels, {table} a row for each {'class' if self.is_semantic else 'object'}"]

    def _earlier(self, viewer: Any) -> Labels | None:
        for layer in viewer.layers:
            is_ours = isinstance(layer, Labels) and _layers.role_of(layer) == self.role and layer.multiscale
            if is_ours and layer.metadata[_layers.METADATA].get("file") == str(self.file):
                return layer
        return None
