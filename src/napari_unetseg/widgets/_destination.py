"""Where the labels go that are larger than memory: a file, chosen or suggested, and what to do if it is there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from napari_unetseg.images.layouts import stem_of
from napari_unetseg.images.results import Result, place_of
from napari_unetseg.images.zarr_store import is_zarr
from napari_unetseg.tasks.work import folder_of

SUFFIX = ".zarr"
TIP = "OME-Zarr file for the labels, which are larger than memory; a table of the objects is written beside it"
EXISTING_TIP = "What to do with a result that is there; it is only ever replaced by a complete one"
FEWEST_CHARACTERS = 8  # of a choice, however narrow the dock
LONGEST = 34  # characters of a name in a sentence: what fits a line


class Destination(QWidget):
    """A path with a button to choose it; of a result that is there, whether it is replaced, and a button to see it.

    `changed` is emitted when a person has changed something, `shown` when the result that is there is asked for.
    """

    changed = Signal()
    shown = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = QLineEdit()
        self.path.setPlaceholderText("choose a file")
        self.choose = QPushButton("…")
        self.choose.setMaximumWidth(32)
        self.existing = QComboBox()
        self.existing.addItem("leave it", "skip")
        self.existing.addItem("replace its result", "overwrite")
        self.existing.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.existing.setMinimumContentsLength(FEWEST_CHARACTERS)
        self.show_result = QPushButton("Show it")
        self.show_result.setToolTip("Add the labels that are in the file as a layer, with their table")
        self._existing_label = QLabel("If done")
        for part in (self.path, self.choose):
            part.setToolTip(TIP)
        for part in (self._existing_label, self.existing):
            part.setToolTip(EXISTING_TIP)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(2)
        for widgets in ((self.path, self.choose), (self._existing_label, self.existing, self.show_result)):
            row = QHBoxLayout()
            for widget in widgets:
                row.addWidget(widget, 1 if widget in (self.path, self.existing) else 0)
            rows.addLayout(row)
        self.path.editingFinished.connect(self._on_path_edited)
        self.choose.clicked.connect(self.ask)
        self.existing.currentIndexChanged.connect(self.changed)
        self.show_result.clicked.connect(self.shown)
        self.refresh()

    def value(self) -> Result | None:
        """Return the files of labels and table; none while there is no name."""
        text = self.path.text().strip()
        if not text:
            return None
        path = Path(text).expanduser().absolute()
        return place_of(path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX))

    def set_value(self, path: Path) -> None:
        """Show a path that a person has chosen."""
        self.path.setText(str(path))
        self.path.setModified(True)
        self.changed.emit()

    def suggest(self, path: Path | None) -> None:
        """Show a path, unless a person has chosen one."""
        if not self.path.isModified():
            self.path.setText("" if path is None else str(path))
        self.refresh()

    def forget(self) -> None:
        """Take suggestions again: the image is another one."""
        self.path.setModified(False)
        self.protect()

    def protect(self) -> None:
        """Do not replace anything any more: what was to be replaced has been."""
        self.existing.setCurrentIndex(0)

    @property
    def may_replace(self) -> bool:
        """Whether a result that is there may be replaced."""
        return self.existing.currentData() == "overwrite"

    @property
    def is_unfinished(self) -> bool:
        """Whether a run that was stopped can go on."""
        place = self.value()
        return place is not None and folder_of(place.labels).exists()

    def problem(self) -> str:
        """Say why nothing can be written there; empty where it can, or where the file is still to be chosen."""
        place = self.value()
        if place is None or not place.is_begun or self.may_replace or self.is_unfinished:
            return ""
        return f"{shortened(place.labels.name)} is there already: show it, or choose 'replace its result' at 'If done'."

    def refresh(self) -> None:
        """Show the second row where there is something to decide."""
        place = self.value()
        is_there = place is not None and (place.is_begun or self.is_unfinished)
        for part in (self._existing_label, self.existing):
            part.setVisible(is_there)
        self.show_result.setVisible(place is not None and is_zarr(place.labels))

    def ask(self) -> None:
        """Let a person choose a file."""
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            "Labels of the whole image",
            self.path.text() or f"labels{SUFFIX}",
            f"OME-Zarr (*{SUFFIX})",
            options=QFileDialog.Option.DontConfirmOverwrite,  # the dock asks, and a store is a folder
        )
        if chosen:
            self.set_value(Path(chosen))

    def _on_path_edited(self) -> None:
        if self.path.isModified():
            self.changed.emit()


def file_of(layer: Layer) -> Path | None:
    """Return the local file that a layer was read from; of a part of a zarr store, the store."""
    if layer.source.path is None or not Path(layer.source.path).exists():
        return None
    path = Path(layer.source.path).absolute()
    return next((parent for parent in reversed(path.parents) if is_zarr(parent)), path)


def suggested(layer: Layer, region: Mapping[str, slice]) -> Path | None:
    """Return STEM_labels.zarr beside the layer's file, with the place of a region; none if nothing can be written."""
    file = file_of(layer)
    if file is None or not os.access(file.parent, os.W_OK):
        return None
    parts = [f"{letter.lower()}{part.start}-{part.stop}" for letter, part in region.items()]
    return file.with_name("_".join([stem_of(file), *parts, "labels"]) + SUFFIX)


def shortened(name: str) -> str:
    """Return a file's name with its middle left out where it would not fit a line."""
    half = (LONGEST - 1) // 2
    return name if len(name) <= LONGEST else f"{name[:half]}…{name[-half:]}"
