"""The Batch dock: segment a folder of images, see how each one fares, open the results."""

from __future__ import annotations

from pathlib import Path

import napari.viewer
from qtpy.QtCore import QModelIndex, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QLineEdit, QPushButton, QWidget

from napari_unetseg.images.axes import LETTERS
from napari_unetseg.images.results import REPORT
from napari_unetseg.schema.config import MemoryConfig
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets import _settings
from napari_unetseg.widgets._batch_files import BatchFiles
from napari_unetseg.widgets._batch_session import FINISHED, BatchSession, Settings
from napari_unetseg.widgets._batch_table import table_view
from napari_unetseg.widgets._decoding import LABELS, decoding_of, means_something
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._form import LABEL, Form
from napari_unetseg.widgets._message import in_dock_words
from napari_unetseg.widgets._models import ModelChooser
from napari_unetseg.widgets._session import session_of

TABLE_HEIGHT = 100  # px; also below a long message
TILING = {"tile": "Tile", "precision": "Precision", "device": "Device"}
AXES_TIP = "Meaning of the images' axes, such as ZYX, TYX, CYX or YXS (S: RGB); empty: what each file says"
CHANNELS_TIP = "Channels for the network, counted from 0, such as 0 or 0, 2; empty: all of the image"


class BatchDock(Dock):
    """Chooses images, model and output folder; the session does the rest and goes on without the dock."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.session = session_of(viewer, BatchSession)
        self.files = BatchFiles()
        self.column.addWidget(self.files)
        self._add_existing()
        self.model = ModelChooser()
        self.add_row("Model", self.model)
        self._add_advanced()
        self._add_table()
        self._restore()
        self._connect()
        self._refresh()

    def value(self) -> Settings:
        """Return how the images are to be segmented; `InputError` where a field makes no sense."""
        model = self.model.value()
        if not isinstance(model, Path) or self.model.card is None:
            raise InputError("this model cannot be used; choose another one")
        return Settings(
            model=model,
            axes=_letters(self.axes.text()),
            channels=_channels(self.channels.text()),
            tiling=self.tiling.value(),
            decoding=self.decoding.value(),
            existing=self.existing.currentData(),
            memory=self.memory.value(),
            is_semantic=self.model.card.target.is_semantic,
        )

    def set_value(self, settings: Settings) -> None:
        """Show these settings."""
        self.model.set_value(settings.model)
        self.axes.setText(settings.axes or "")
        self.channels.setText(", ".join(map(str, settings.channels or ())))
        if settings.tiling is not None:
            self.tiling.set_value(settings.tiling)
        if settings.decoding is not None:
            self.decoding.set_value(settings.decoding)
        self.existing.setCurrentIndex(self.existing.findData(settings.existing))
        self.memory.set_value(settings.memory)

    def _add_existing(self) -> None:
        self.existing = QComboBox()
        self.existing.addItem("leave it out (resume)", "skip")
        self.existing.addItem("replace its result", "overwrite")
        tip = "What to do with an image whose result is there; a result is only ever replaced by a complete one"
        self.add_row("If done", self.existing, tooltip=tip)

    def _add_advanced(self) -> None:
        self.axes = QLineEdit()
        self.axes.setPlaceholderText("as the file says")
        self.channels = QLineEdit()
        self.channels.setPlaceholderText("all")
        self.tiling = Form(_settings.tiling(), list(TILING), labels=TILING)
        self.decoding = Form(decoding_of(self.model.card), list(LABELS), labels=LABELS)
        self.memory = Form(MemoryConfig(), ["memory"], labels={"memory": "Memory"})
        fields = QWidget()
        rows = QFormLayout(fields)
        rows.setContentsMargins(0, 0, 0, 0)
        for name, field, tip in (("Axes", self.axes, AXES_TIP), ("Channels", self.channels, CHANNELS_TIP)):
            label = QLabel(name)
            label.setMinimumWidth(LABEL)
            label.setToolTip(tip)
            field.setToolTip(tip)
            rows.addRow(label, field)
        self.advanced = self.add_section("Advanced", fields, self.decoding, self.tiling, self.memory)

    def _add_table(self) -> None:
        self.found = hint()
        self.column.addWidget(self.found)
        self.table = table_view(self.session, self)
        self.table.setMinimumHeight(TABLE_HEIGHT)
        self.add_filling(self.table)
        self.run = QPushButton("Segment all")
        self.run.setToolTip("Segment the images of the table in turn; 'If done' decides on earlier results")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop after the tile at work; images that are done are kept")
        self.report = QPushButton("Report")
        self.report.setToolTip("Open the page of this folder: each image with a picture of its result, or the reason")
        self.add_buttons(self.run, self.cancel, self.report)
        self.forecast = hint()
        self.footer.insertWidget(0, self.forecast)

    def _connect(self) -> None:
        session, job = self.session, self.session.job
        self.files.changed.connect(self._find)
        self.existing.currentIndexChanged.connect(self._refresh)
        self.axes.textChanged.connect(self._refresh)
        self.channels.textChanged.connect(self._refresh)
        self.tiling.checked.connect(self._refresh)
        self.decoding.checked.connect(self._refresh)
        self.memory.checked.connect(self._refresh)
        self.model.changed.connect(self._on_model_changed)
        self.table.doubleClicked.connect(self._on_table_double_clicked)
        self.run.clicked.connect(self._on_run_clicked)
        self.cancel.clicked.connect(job.cancel)
        self.report.clicked.connect(self._on_report_clicked)
        session.listed.connect(self._on_session_listed)
        session.row_changed.connect(self._on_session_row_changed)
        session.advanced.connect(self._show_progress)
        session.finder.changed.connect(self._refresh)
        session.opener.failed.connect(self.message.show_error)
        session.opener.changed.connect(self._refresh)
        job.changed.connect(self._refresh)
        job.started.connect(self._on_job_started)
        job.failed.connect(self.message.show_error)
        job.finished.connect(self._on_job_finished)

    def _restore(self) -> None:
        """Show what the session works on, or worked on, when the dock is opened again."""
        inputs, settings = self.session.inputs, self.session.settings
        if inputs is not None:
            self.files.set_value(inputs)
        if settings is not None:
            self.set_value(settings)
        if self.session.job.is_running:
            self._on_job_started()
        elif self.session.ended:
            self.progress.stop(self.session.ended)

    def _find(self) -> None:
        self.session.find(self.files.value())
        self._refresh()

    def _refresh(self) -> None:
        """Set buttons and hints to what can be done now, and say why where nothing can."""
        session = self.session
        problem = self._problem()
        self.run.setEnabled(not problem and not session.job.is_running)
        self.run.setText("Segmenting…" if session.job.is_running else "Segment all")
        self.cancel.setEnabled(session.job.is_running and not session.job.is_stopping)
        self.cancel.setText("Stopping…" if session.job.is_stopping else "Cancel")
        self.report.setVisible(self._report() is not None)
        self.found.setText(self._found_text())
        self.table.setVisible(bool(session.rows))
        self.forecast.setText("" if session.job.is_running else in_dock_words(problem) or self._forecast_text())
        self.forecast.setVisible(bool(self.forecast.text()))

    def _report(self) -> Path | None:
        """Return the page of the folder with the results, if there is one."""
        inputs = self.files.value()
        path = None if inputs is None else Path(inputs.folder) / REPORT
        return path if path is not None and path.is_file() else None

    def _on_report_clicked(self) -> None:
        path = self._report()
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.resolve())))

    def _problem(self) -> str:
        """Return why a run cannot be started; empty when it can."""
        session = self.session
        if self.files.value() is None:
            return "Choose a folder with images: each is segmented, the results go into a folder of their own."
        try:
            settings = self.value()
        except UnetSegError as error:
            return str(error)
        if session.finder.is_running:
            return "Looking for images…"
        if session.problem is not None or not session.rows:
            return "There is no image to segment."
        if session.to_do(settings.existing) == 0:
            return "All images have a result. To make them again choose 'If done: replace its result'."
        return ""

    def _found_text(self) -> str:
        session = self.session
        if session.problem is not None:
            return in_dock_words(str(session.problem))
        made = session.count(*FINISHED)
        text = counted(len(session.rows), "image") + (f", {made} with a result" if made else "")
        return text + ". Double click one to see it." if session.rows else ""

    def _forecast_text(self) -> str:
        count, failed = self.session.to_do(self.existing.currentData()), self.session.count("failed")
        if failed == count:
            return f"{counted(count, 'image')} to try again."
        text = f"{counted(count, 'image')} to segment"
        return f"{text}, {failed} of them failed before." if failed else f"{text}."

    def _on_session_listed(self) -> None:
        """Forget what was said of other images."""
        self.message.clear()
        self.progress.stop(self.session.ended)
        self._refresh()

    def _on_session_row_changed(self, number: int) -> None:
        """Follow the run down the table, unless somebody has scrolled away from it."""
        if self.session.rows[number].state == "running" and self._is_in_sight(number - 1):
            self.table.scrollTo(self._cell(number))

    def _is_in_sight(self, number: int) -> bool:
        return number < 0 or self.table.viewport().rect().intersects(self.table.visualRect(self._cell(number)))

    def _cell(self, number: int) -> QModelIndex:
        return self.table.model().index(number, 0)

    def _show_progress(self) -> None:
        if self.session.job.is_running:
            self.progress.show_fraction(self.session.fraction, detail=self.session.detail)

    def _on_model_changed(self) -> None:
        self.decoding.set_value(decoding_of(self.model.card))
        for name in LABELS:
            self.decoding.show_field(name, means_something(name, self.model.card))
        self._refresh()

    def _on_run_clicked(self) -> None:
        self.message.clear()
        try:
            self.session.start(self.value())
        except UnetSegError as error:
            self.message.show_error(error)

    def _on_job_started(self) -> None:
        self.progress.start("loading the model…", began=self.session.began)
        if self.session.fraction > 0:
            self._show_progress()

    def _on_job_finished(self) -> None:
        self.progress.stop(self.session.ended)
        failed = [number for number, row in enumerate(self.session.rows) if row.state == "failed"]
        if failed:
            first = f"{counted(len(failed), 'image')} could not be segmented; point at a row to read why. The first:"
            self.message.show_text(f"{first} {self.session.rows[failed[0]].error}", kind="warning")
        self._refresh()
        if failed:
            self.reveal(self.table)
            self.table.scrollTo(self._cell(failed[0]))

    def _on_table_double_clicked(self, index: QModelIndex) -> None:
        self.message.clear()
        self.session.open(index.row())


def _letters(text: str) -> str | None:
    """Return axis letters, or none for "as the file says"; that they fit is checked for each file."""
    letters = text.strip().upper()
    if not set(letters) <= set(LETTERS) or len(set(letters)) != len(letters):
        raise InputError(f"Axes are letters of {LETTERS}, each once, such as ZYX; got '{text}'")
    return letters or None


def _channels(text: str) -> tuple[int, ...] | None:
    """Return channel numbers, or none for all."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"Channels are numbers counted from 0, such as 0 or 0, 2; got '{text}'")
    return tuple(int(part) for part in parts) or None
