"""The Refine section: sliders that decode the last prediction anew, the number of objects, table and saving."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget
from superqt import QLabeledDoubleSlider, QLabeledSlider

from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets._dock import hint
from napari_unetseg.widgets._open import open_dock, open_table
from napari_unetseg.widgets._segment_session import SegmentSession

FIELDS = {"threshold": "Foreground from", "seed_threshold": "Split from", "min_size": "Smallest object"}
TIPS = {
    "threshold": "Higher: objects get smaller, faint ones go (foreground probability) [threshold]",
    "seed_threshold": "Higher: touching objects are split more readily (seed score) [seed_threshold]",
    "min_size": "Objects of fewer pixels or voxels are left out (px) [min_size]",
}
PARTIAL = "Up to date where you look; the rest needs the network again."
ON_DISK = "On disk, larger than memory: to retune, change the settings above and segment again."
ON_DISK_TIP = (
    "Off: to decode anew at once, the network's maps of all of the image would have to be kept, and they are larger "
    "than memory too. Change the settings above and segment again; try them on a slice first"
)
REVIEW_TIP = "Go through the objects, the doubtful ones first, and correct them"
NO_REVIEW = "These are classes: there are no objects to go through one by one; paint over what is wrong"
SAVE_TIP = "Save the labels with axes and pixel size, as OME-TIFF or OME-Zarr"
FILES = "OME-TIFF (*.ome.tif *.tif);;OME-Zarr (*.zarr)"


class RefinePanel(QWidget):
    """Shown once there is a result; `applied` asks for a run with the settings shown."""

    applied = Signal()
    changed = Signal(object)

    def __init__(self, session: SegmentSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._decoding = DecodingConfig()
        self.sliders = {
            "threshold": QLabeledDoubleSlider(Qt.Orientation.Horizontal),
            "seed_threshold": QLabeledDoubleSlider(Qt.Orientation.Horizontal),
            "min_size": QLabeledSlider(Qt.Orientation.Horizontal),
        }
        rows = QFormLayout()
        rows.setContentsMargins(0, 0, 0, 0)
        for name, slider in self.sliders.items():
            if name != "min_size":
                slider.setRange(0.05, 0.95)
                slider.setSingleStep(0.01)
                slider.setDecimals(2)
            label = QLabel(FIELDS[name])
            for part in (label, slider):
                part.setToolTip(TIPS[name])
            rows.addRow(label, slider)
            slider.valueChanged.connect(self._on_slider_changed)
        self.note = hint()
        self.apply = QPushButton("Apply to all")
        self.apply.setToolTip("Run the network again on the same region, with these settings")
        self.count = QLabel()
        self.table = QPushButton("Table")
        self.table.setToolTip("Open napari's table of the objects: sort it, save it as CSV, click a row to find a cell")
        self.save = QPushButton("Save…")
        self.review = QPushButton("Review →")
        buttons = QHBoxLayout()
        for button in (self.table, self.save, self.review):
            buttons.addWidget(button, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self.tuning = QWidget()
        tuning = QVBoxLayout(self.tuning)
        tuning.setContentsMargins(0, 0, 0, 0)
        tuning.addWidget(_title("Refine (at once, without a new run)"))
        tuning.addLayout(rows)
        layout.addWidget(self.tuning)
        layout.addWidget(self.note)
        layout.addWidget(self.apply)
        layout.addWidget(self.count)
        layout.addLayout(buttons)
        self.apply.clicked.connect(self.applied)
        self.table.clicked.connect(self._on_table_clicked)
        self.save.clicked.connect(self._on_save_clicked)
        self.review.clicked.connect(self._on_review_clicked)
        session.changed.connect(self.refresh)
        session.job.changed.connect(self.refresh)
        session.refiner.changed.connect(self.refresh)
        session.saver.changed.connect(self.refresh)
        self.refresh()

    def value(self) -> DecodingConfig:
        """Return the settings with what the sliders show."""
        shown = {name: slider.value() for name, slider in self.sliders.items()}
        changes = {name: value for name, value in shown.items() if value != self._shown(name)}
        return self._decoding.replace(**changes)

    def set_value(self, decoding: DecodingConfig) -> None:
        """Show settings, without decoding."""
        self._decoding = decoding
        largest = max(200, 4 * decoding.min_size)
        for name, slider in self.sliders.items():
            slider.blockSignals(True)
            if name == "min_size":
                slider.setRange(0, largest)
            slider.setValue(self._shown(name))
            slider.blockSignals(False)

    def refresh(self) -> None:
        """Show what can be done now."""
        session, refiner = self.session, self.session.refiner
        result = session.result
        is_there = result is not None and result.is_shown(session.viewer)
        self.setVisible(is_there)
        if not is_there:
            return
        self.tuning.setVisible(not result.is_semantic)
        self.table.setEnabled(not session.job.is_running)
        self.review.setEnabled(not session.job.is_running and not result.is_semantic)
        self.review.setToolTip(NO_REVIEW if result.is_semantic else REVIEW_TIP)
        if refiner.wanted is not None and refiner.wanted != self.value():
            self.set_value(refiner.wanted)
        for name, slider in self.sliders.items():
            slider.setEnabled(session.can_refine)
            slider.setToolTip(ON_DISK_TIP if result.file is not None else TIPS[name])
        self.note.setText(self._note())
        self.note.setVisible(bool(self.note.text()))
        self.apply.setVisible(refiner.needs_run and not session.job.is_running)
        self.count.setText(self._count())
        self.save.setEnabled(result.file is None and not session.saver.is_running and not session.job.is_running)
        self.save.setToolTip(SAVE_TIP if result.file is None else f"These labels are saved: {result.file}")
        self.save.setText("Saving…" if session.saver.is_running else "Save…")

    def _shown(self, name: str) -> float:
        """Return what a slider shows of a setting: rounded, and within its range."""
        slider, value = self.sliders[name], getattr(self._decoding, name)
        value = value if name == "min_size" else round(value, 2)
        return min(max(value, slider.minimum()), slider.maximum())

    def _note(self) -> str:
        session, refiner = self.session, self.session.refiner
        if session.job.is_running or session.result.is_semantic:
            return ""
        if session.result.file is not None:
            return ON_DISK
        if not session.can_refine:
            return "The prediction is too large to be kept: change the settings above and segment again."
        if refiner.problem:
            return f"{refiner.problem[0].upper()}{refiner.problem[1:]}."
        if refiner.needs_run:
            return PARTIAL
        return "Working…" if refiner.job.is_running or refiner.is_partial else ""

    def _count(self) -> str:
        objects = self.session.objects
        if self.session.job.is_running:
            return "segmenting…"
        if objects is None:
            return "unfinished"
        if self.session.result.is_semantic:
            return f"{counted(objects, 'class', 'classes')} found"
        return ("about " if self.session.refiner.is_partial else "") + counted(objects, "object")

    def _on_slider_changed(self, _value: float) -> None:
        decoding = self.value()
        self.session.refiner.refine(decoding)
        self.refresh()  # back to what it was, where these labels must not change
        self.changed.emit(self.value())

    def _on_table_clicked(self) -> None:
        open_table(self.session.viewer, self.session.result.layer)

    def _on_review_clicked(self) -> None:
        dock = open_dock(self.session.viewer, "Review")
        dock.labels.set_value(self.session.result.layer)
        image = self.session.image()
        if image is not None:
            dock.image.set_value(image)

    def _on_save_clicked(self) -> None:
        name = f"{self.session.result.source_name}_labels.ome.tif".replace("/", "_")
        path, chosen = QFileDialog.getSaveFileName(self, "Save labels", name, FILES)
        if path:
            suffix = ".zarr" if "Zarr" in chosen else ".ome.tif"
            self.session.save(Path(path) if Path(path).suffix else Path(path + suffix))


def _title(text: str) -> QLabel:
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label
