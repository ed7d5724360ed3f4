"""The Segment dock: choose image, model and region; see what it will take; run; refine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import napari.viewer
from napari.layers import Image
from qtpy.QtWidgets import QComboBox, QPushButton

from napari_unetseg.schema.config import MemoryConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.widgets import _settings
from napari_unetseg.widgets._decoding import LABELS, decoding_of, means_something
from napari_unetseg.widgets._destination import Destination, file_of, suggested
from napari_unetseg.widgets._dock import Dock, hint
from napari_unetseg.widgets._form import Form
from napari_unetseg.widgets._message import in_dock_words
from napari_unetseg.widgets._models import ModelChooser
from napari_unetseg.widgets._segment_forecast import ForecastWords, sentence
from napari_unetseg.widgets._segment_image import ImageChoice
from napari_unetseg.widgets._segment_refine import RefinePanel
from napari_unetseg.widgets._segment_region import RegionChoice, add_shapes, describe, has_rectangle, region_of
from napari_unetseg.widgets._segment_session import SegmentSession
from napari_unetseg.widgets._segment_tasks import Order, measured, ndim_of
from napari_unetseg.widgets._session import session_of

DEVICES = {"auto": "automatic", "cpu": "CPU", "cuda": "NVIDIA GPU (cuda)", "mps": "Apple GPU (mps)"}
TILING = {"tile": "Tile", "precision": "Precision"}
DEVICE_TIP = "Where the network runs; automatic takes a GPU if there is one. The labels do not depend on it [device]"


class SegmentDock(Dock):
    """Decides what to segment and how; the session runs it and goes on without the dock."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self.session = session_of(viewer, SegmentSession)
        self.image = ImageChoice(self.session.viewer)
        self.add_row("Image", self.image)
        self.sample = QPushButton("Open sample")
        self.sample.setToolTip("Add simulated nuclei, to try things out")
        self.column.addWidget(self.sample)
        self.model = ModelChooser()
        self.add_row("Model", self.model)
        self.region = RegionChoice()
        self.add_row("Region", self.region)
        self.destination = Destination()
        self._destination_label = self.add_row("Labels in", self.destination)
        self._add_computing()
        self.refine = RefinePanel(self.session)
        self.column.addWidget(self.refine)
        self.forecast, self._words = hint(), ForecastWords(self.session)
        self.footer.insertWidget(0, self.forecast)
        self.run = QPushButton("Segment")
        self.cancel = QPushButton("Cancel")
        self.cancel.setToolTip("Stop after the tile at work; planes that are finished are kept")
        self.add_buttons(self.run, self.cancel)
        self._restore()
        self._connect()
        self._refresh()

    def value(self) -> tuple[Image, Order]:
        """Return what is to be segmented and how; `InputError` where something does not fit."""
        model, card = self.model.value(), self.model.card
        if self.image.layer.value() is not None and (not isinstance(model, Path) or card is None):
            raise InputError("this model cannot be used; choose another one")
        layer, source, channels = self.image.value()
        word, decoding = self.region.value(), self.decoding.value()
        order = Order(
            source=source,
            channels=channels,
            region=region_of(
                word,
                layer=layer,
                axes=source.axes.letters,
                viewer=self.session.viewer,
                ndim=ndim_of(card, decoding, source=source),
            ),
            word=word,
            model=model,
            card=card,
            tiling=self.tiling.value().replace(device=self.device.currentData()),
            decoding=decoding,
            memory=self.memory.value(),
            file=file_of(layer),
            may_replace=self.destination.may_replace,
        )
        return layer, self._with_place(layer, order)

    def _with_place(self, layer: Image, order: Order) -> Order:
        """Return an order with the place of its result, which is suggested where nobody has chosen one."""
        if not order.is_large:
            return order
        self.destination.suggest(suggested(layer, order.region))
        return replace(order, place=self.destination.value())

    def reset_choices(self, _event: object = None) -> None:
        """Follow the viewer's layers; napari calls it when they change."""
        self.image.reset_choices()
        self._refresh()

    def _add_computing(self) -> None:
        chosen = _settings.tiling()
        self.device = QComboBox()
        self.device.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        for name in dict.fromkeys([*DEVICES, chosen.device]):
            self.device.addItem(DEVICES.get(name, name), name)
        self.device.setCurrentIndex(self.device.findData(chosen.device))
        self.add_row("Device", self.device, tooltip=DEVICE_TIP)
        self.tiling = Form(chosen, list(TILING), labels=TILING)
        self.memory = Form(MemoryConfig(), ["memory"], labels={"memory": "Memory"})
        self.decoding = Form(decoding_of(self.model.card), list(LABELS), labels=LABELS)
        self.advanced = self.add_section("Advanced", self.decoding, self.tiling, self.memory)

    def _connect(self) -> None:
        session, job = self.session, self.session.job
        self.image.changed.connect(self._refresh)
        self.image.layer.changed.connect(self._on_layer_changed)
        self.region.changed.connect(self._refresh)
        self.region.draw.clicked.connect(self._on_draw_clicked)
        self.device.currentIndexChanged.connect(self._refresh)
        self.destination.changed.connect(self._refresh)
        self.destination.shown.connect(self._on_destination_shown)
        self.model.changed.connect(self._on_model_changed)
        for form in (self.tiling, self.memory, self.decoding):
            form.checked.connect(self._refresh)
        self.sample.clicked.connect(self._on_sample_clicked)
        self.run.clicked.connect(self._on_run_clicked)
        self.cancel.clicked.connect(job.cancel)
        self.refine.changed.connect(self._on_refine_changed)
        self.refine.applied.connect(self._on_refine_applied)
        session.changed.connect(self._refresh)
        session.moved.connect(self._on_session_moved)
        session.advanced.connect(self._show_progress)
        session.told.connect(self._on_session_told)
        session.failed.connect(self.message.show_error)
        job.started.connect(self._on_job_started)
        job.changed.connect(self._refresh)
        job.finished.connect(self._on_job_finished)

    def _restore(self) -> None:
        """Show what the session works on, or worked on, when the dock is opened again."""
        self.image.set_card(self.model.card)
        order = self.session.order
        if order is not None:
            self.model.set_value(order.model)
            self.image.set_card(self.model.card)
            settings = self.session.refiner.wanted or order.decoding
            self.decoding.set_value(order.refined(settings))
            self.memory.set_value(order.memory)
            if order.place is not None and order.source.name == self.image.layer.currentText():
                self.destination.set_value(order.place.labels)
            self.refine.set_value(settings)
        if self.session.job.is_running:
            self._on_job_started()
        elif self.session.ended:
            self.progress.stop(self.session.ended)

    def _refresh(self, _value: object = None) -> None:
        """Set buttons and hints to what can be done now, and say why where nothing can."""
        is_running, problem, order = self.session.job.is_running, "", None
        try:
            _, order = self.value()
        except UnetSegError as error:
            problem = sentence(in_dock_words(str(error)))
        self._offer_rectangle()
        self.region.say("" if order is None else describe(order.region, word=order.word, sizes=order.source.sizes))
        self.sample.setVisible(self.image.layer.value() is None)
        self._words.ask(order)
        problem = problem or self._words.problem() or self._refresh_destination(order)
        goes_on = order is not None and order.place is not None and self.destination.is_unfinished
        self.run.setEnabled(not problem and not is_running)
        self.run.setText("Segmenting…" if is_running else "Go on" if goes_on else "Segment")
        self.run.setToolTip(problem or "Outline the cells of the region, or find its classes (Ctrl+Enter)")
        self.cancel.setEnabled(is_running and not self.session.job.is_stopping)
        self.cancel.setText("Stopping…" if self.session.job.is_stopping else "Cancel")
        self.forecast.setText("" if is_running else problem or self._words.words(order, goes_on=goes_on))
        self.forecast.setVisible(bool(self.forecast.text()))
        self.progress.setVisible(is_running or bool(self.progress.text.text()))
        if not is_running:
            is_refined = (
                self.session.can_refine
                and self.session.image() is self.image.layer.value()
                and self.session.order.model == self.model.value()
            )
            for name in LABELS:  # one place to set them, not two
                is_elsewhere = is_refined and name in self.refine.sliders
                self.decoding.show_field(name, means_something(name, self.model.card) and not is_elsewhere)

    def _refresh_destination(self, order: Order | None) -> str:
        """Show where labels go that are larger than memory; return what is in the way of that."""
        is_large = order is not None and order.is_large
        for part in (self.destination, self._destination_label):
            part.setVisible(is_large)
            part.setEnabled(not self.session.job.is_running)
        self.destination.refresh()
        return self.destination.problem() if is_large else ""

    def _show_progress(self) -> None:
        if self.session.job.is_running and self.session.fraction > 0:
            self.progress.show_fraction(self.session.fraction)
        elif self.session.job.is_running:
            self.progress.start("reading the image…", began=self.session.began)

    def _start(self, order: Order, layer: Image) -> None:
        self.message.clear()
        try:
            self.session.start(layer, order)
        except UnetSegError as error:
            self.message.show_error(error)
        self._refresh()

    def _offer_rectangle(self) -> None:
        """Offer a layer to draw in where there is no rectangle yet."""
        is_missing = self.region.value() == "box" and not has_rectangle(self.session.viewer)
        self.region.draw.setVisible(is_missing and self.image.layer.value() is not None)

    def _on_draw_clicked(self) -> None:
        add_shapes(self.session.viewer, image=self.image.layer.value())

    def _on_layer_changed(self, _layer: Image | None) -> None:
        """Say no more how the run of another image ended, nor write where that went."""
        self.destination.forget()
        if not self.session.job.is_running:
            self.session.ended = ""
            self.progress.stop()

    def _on_model_changed(self, _value: object) -> None:
        self.image.set_card(self.model.card)
        self.decoding.set_value(decoding_of(self.model.card))
        self._refresh()

    def _on_sample_clicked(self) -> None:
        viewer = self.session.viewer
        try:
            viewer.open_sample("napari-unetseg", "cells_2d")
        except (KeyError, ValueError):  # the plugin is used without being installed
            from napari_unetseg.images.simulate import simulate

            viewer.add_image(simulate((512, 512), seed=0)[0], name="nuclei")
        self.reset_choices()

    def _on_run_clicked(self) -> None:
        try:
            layer, order = self.value()
            if order.is_large and order.place is None:
                self.destination.ask()
                layer, order = self.value()
        except UnetSegError as error:
            self.message.show_error(error)
            return
        if self.run.isEnabled() and (order.place is not None or not order.is_large):
            self._start(order, layer)

    def _on_destination_shown(self) -> None:
        try:
            layer, order = self.value()
        except UnetSegError as error:
            self.message.show_error(error)
        else:
            self._start(replace(order, opens=True), layer)

    def _on_refine_changed(self, decoding: DecodingConfig) -> None:
        """Follow the sliders; what takes a run of the network stays as it was chosen for the next one."""
        chosen = self.session.order.refined(decoding)
        moved = {name: getattr(chosen, name) for name in self.refine.sliders}
        self.decoding.set_value(self.decoding.value().replace(**moved))

    def _on_refine_applied(self) -> None:
        """Run again where the last run was, with the settings of the sliders."""
        layer = self.image.layer.value()
        order = self.session.order_with(self.refine.value())
        if layer is None or layer.name != order.source.name:
            self.message.show_text("Choose the image of this result above, then apply again.", kind="warning")
            return
        self._start(order, layer)

    def _on_session_moved(self) -> None:
        if self.region.value() != "all" and not self.session.job.is_running:
            self._refresh()

    def _on_session_told(self, text: str, kind: str) -> None:
        self.message.show_text(text, kind=kind)

    def _on_job_started(self) -> None:
        self.progress.start("loading the model…", began=self.session.began)
        self._show_progress()

    def _on_job_finished(self) -> None:
        if self.session.result is not None:
            self.destination.protect()
        self.progress.stop(self.session.ended)
        self.decoding.tell("diameter", measured(self.session.order))
        self._refresh()
