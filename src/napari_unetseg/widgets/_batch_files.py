"""The fields that say which images a batch takes, and where their results go."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from qtpy.QtCore import QTimer, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_unetseg.images.find import ENDINGS
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets._batch_session import Inputs
from napari_unetseg.widgets._dock import LABEL

WAIT = 300  # ms without a key until the folder is looked at
ALL = "all images"
RESULTS = "segmented"
"""Folder for the results, in that of the images, until another is chosen."""
TIPS = {
    "Images": "Folder whose images are segmented (TIFF, OME-Zarr, PNG, JPEG, BMP, npy); earlier results are left out",
    "Which": "A pattern of file names, such as *_dapi.tif or day1_*.tif",
    "Results": "Folder for, of each image NAME: NAME_labels (the objects) and NAME_objects.csv (a row per object)",
    "Format": "OME-Zarr has smaller levels, so that the labels of large images open at once",
}


class BatchFiles(QWidget):
    """Images (a folder with a pattern, or single files), folder and format of the results.

    `changed` is emitted when a person has chosen something, or stopped typing.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._files: tuple[str, ...] = ()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(WAIT)
        self._timer.timeout.connect(self.changed)
        self.folder = QLineEdit()
        self.folder.setPlaceholderText("choose or drop a folder")
        self.folder.setAcceptDrops(False)  # a path dropped would be inserted into the text
        self.setAcceptDrops(True)
        self.choose_folder = _button("Folder…", tip="Take the images of a folder")
        self.choose_files = _button("Files…", tip="Take single files")
        self.pattern = QComboBox()
        self.pattern.setEditable(True)
        self.pattern.addItems([ALL, "*.tif", "*.ome.tif", "*.zarr", "*.png"])
        self.output = QLineEdit()
        self.output.setPlaceholderText("a folder for the results")
        self.choose_output = _button("Folder…", tip="Choose the folder for the results; it is made if needed")
        self.format = QComboBox()
        self.format.addItem("OME-TIFF", "tiff")
        self.format.addItem("OME-Zarr, for large images", "zarr")
        self._layout = QFormLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._add("Images", self.folder, self.choose_folder, self.choose_files)
        self._add("Which", self.pattern)
        self._add("Results", self.output, self.choose_output)
        self._add("Format", self.format)
        self._connect()

    def value(self) -> Inputs | None:
        """Return what is chosen; none while a folder is missing."""
        output, pattern = self.output.text().strip(), self.pattern.currentText().strip()
        images = self._files or self._images_in(self.folder.text().strip(), pattern=pattern)
        return Inputs(images, Path(output).expanduser(), self.format.currentData()) if output and images else None

    def set_value(self, inputs: Inputs) -> None:
        """Show what was chosen before."""
        if len(inputs.images) == 1 and Path(inputs.images[0]).is_dir():
            self._files = ()
            self._show(inputs.images[0])
        else:
            self._show_files(inputs.images)
        self._set_output(inputs.folder)
        self.format.setCurrentIndex(self.format.findData(inputs.format))

    def take_folder(self, folder: Path) -> None:
        """Take the images of a folder."""
        self._files = ()
        self._show(str(folder))
        self._suggest_output(folder)

    def take_files(self, files: Sequence[Path]) -> None:
        """Take these files."""
        self._show_files([str(path) for path in files])
        self._suggest_output(Path(files[0]).parent)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Accept files and folders."""
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Take a folder, or files."""
        paths = _dropped(event)
        if len(paths) == 1 and paths[0].is_dir() and not str(paths[0]).endswith(".zarr"):
            self.take_folder(paths[0])
        elif paths:
            self.take_files(paths)
        event.acceptProposedAction()

    def _add(self, name: str, *widgets: QWidget) -> None:
        label = QLabel(name)
        label.setMinimumWidth(LABEL)
        for part in (label, widgets[0]):
            part.setToolTip(TIPS[name])
        row = QHBoxLayout()
        for number, widget in enumerate(widgets):
            row.addWidget(widget, 0 if number else 1)
        self._layout.addRow(label, row)

    def _connect(self) -> None:
        self.folder.textEdited.connect(self._on_folder_edited)
        self.output.textEdited.connect(self._timer.start)
        self.pattern.currentTextChanged.connect(self._timer.start)
        self.format.currentIndexChanged.connect(self._timer.start)
        self.choose_folder.clicked.connect(self._on_choose_folder_clicked)
        self.choose_files.clicked.connect(self._on_choose_files_clicked)
        self.choose_output.clicked.connect(self._on_choose_output_clicked)

    def _images_in(self, folder: str, *, pattern: str) -> tuple[str, ...]:
        if not folder:
            return ()
        path = Path(folder).expanduser()
        return (str(path) if pattern in ("", ALL) else str(Path(glob.escape(str(path))) / pattern),)

    def _show_files(self, files: Sequence[str]) -> None:
        self._files = tuple(files)
        self._show(f"{counted(len(files), 'file')} in {Path(files[0]).parent}" if len(files) > 1 else files[0])

    def _show(self, text: str) -> None:
        self.folder.setText(text)
        self.folder.setReadOnly(bool(self._files))
        self.pattern.setEnabled(not self._files)

    def _suggest_output(self, folder: Path) -> None:
        if not self.output.isModified():
            self.output.setText(str(folder / RESULTS))
        self.changed.emit()

    def _set_output(self, folder: Path) -> None:
        self.output.setText(str(folder))
        self.output.setModified(True)

    def _on_folder_edited(self, text: str) -> None:
        if not self.output.isModified():
            self.output.setText(str(Path(text.strip()) / RESULTS) if text.strip() else "")
        self._timer.start()

    def _on_choose_folder_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder of images", "" if self._files else self.folder.text())
        if chosen:
            self.take_folder(Path(chosen))

    def _on_choose_files_clicked(self) -> None:
        known = " ".join(f"*{ending}" for ending in ENDINGS)
        chosen, _ = QFileDialog.getOpenFileNames(self, "Images", "", f"Images ({known});;All files (*)")
        if chosen:
            self.take_files([Path(path) for path in chosen])

    def _on_choose_output_clicked(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, "Folder for the results", self.output.text())
        if chosen:
            self._set_output(Path(chosen))
            self.changed.emit()


def _dropped(event: QDropEvent) -> list[Path]:
    return [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]


def _button(text: str, *, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tip)
    return button
