"""The part of the Review dock that adds the field shown to a training set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLineEdit, QPushButton, QWidget

from napari_unetseg.widgets import _training_set
from napari_unetseg.widgets._dock import hint
from napari_unetseg.widgets._review_session import ReviewSession

REGIONS = {"view": "what the window shows", "plane": "the whole plane", "stack": "the whole stack (3D)"}


class AddField(QWidget):
    """Region, folder, button; `guarded` is called with what the button does."""

    def __init__(self, session: ReviewSession, guarded: Callable[[Callable[[], Any]], None]) -> None:
        super().__init__()
        self._session, self._guarded = session, guarded
        self.region = QComboBox()
        for word, text in REGIONS.items():
            self.region.addItem(text, word)
        self.region.setToolTip("What is stored: check that everything in it is right, also what is background")
        self.folder = QLineEdit(session.folder)
        self.folder.setPlaceholderText("choose a folder")
        self.folder.setToolTip("Pairs are put into its folders 'images' and 'labels' as TIFF; no file is overwritten")
        self.browse = QPushButton("…")
        self.browse.setToolTip("Choose the folder")
        self.browse.setFixedWidth(28)
        self.browse.clicked.connect(self._on_browse_clicked)
        self.add = QPushButton("Add to training set")
        self.add.setToolTip("Store image and labels as a pair, and add them as two hidden layers that Train picks up")
        self.add.clicked.connect(self._on_add_clicked)
        self.why = hint()
        row = QHBoxLayout()
        row.addWidget(self.folder, 1)
        row.addWidget(self.browse)
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addRow("Field", self.region)
        layout.addRow("Folder", row)
        layout.addRow(self.why)
        layout.addRow(self.add)
        self.folder.textChanged.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Say why nothing can be added, or let the button be pressed."""
        self._session.folder = self.folder.text().strip()
        problem = self._problem()
        self.why.setText(problem)
        self.why.setVisible(bool(problem))
        self.add.setEnabled(not problem and not self._session.saving.is_running)

    def _problem(self) -> str:
        session = self._session
        if session.layer is None or session.image is None:
            return "Choose the labels and their image above."
        problem = _training_set.misfit(session.layer, session.image, axes=session.axes)
        if problem:
            return problem
        return "" if session.folder else "Choose a folder for the pairs."

    def _on_browse_clicked(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Folder of the training set", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def _on_add_clicked(self) -> None:
        region = self.region.currentData()
        self._guarded(lambda: self._session.add_to_training_set(region=region, folder=Path(self._session.folder)))
