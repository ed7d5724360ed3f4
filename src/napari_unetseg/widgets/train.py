"""The Train dock: learn from painted cells while watching what is learnt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import napari.viewer

from napari_unetseg.images.source import ImageSource
from napari_unetseg.models import library
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.words import duration
from napari_unetseg.tasks.pairs import Reading
from napari_unetseg.tasks.start import fit_annotation, validation_share
from napari_unetseg.widgets import _settings
from napari_unetseg.widgets._session import session_of
from napari_unetseg.widgets._train_after import segment_with, show_card_of
from napari_unetseg.widgets._train_form import BACKGROUND, NOT_ANNOTATED, SCRATCH, TrainForm
from napari_unetseg.widgets._train_layers import source_of
from napari_unetseg.widgets._train_meaning import misfit
from napari_unetseg.widgets._train_session import Plan, TrainSession, can_go_on, free_name, suggested_name


class TrainDock(TrainForm):
    """Pairs of layers in, a model in the user's library out."""

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        session = session_of(viewer, TrainSession)
        super().__init__(session.viewer, session.rows)
        self.session = session
        self._zero_is_chosen = False
        self._name_is_chosen = False
        self._show_live()
        self._connect()
        self._on_model_changed()
        self._show_plan()
        self._show_run()

    def reset_choices(self, _event: Any = None) -> None:
        """Follow the viewer's layers."""
        self.options.regions.reset_choices()
        self.pairs.reset_choices()

    def plan(self) -> Plan:
        """Return what Train would do; raises where it cannot."""
        problem = self.problem()
        if problem:
            raise InputError(problem)
        pairs = tuple(replace(pair) for pair in self.pairs.value())  # the run's own: rows of the dock come and go
        source = self._source()
        assert source is not None  # there is a pair, and it has no problem
        channels = self.options.channels()
        count = len(channels) if channels else source.sizes["C"]
        is_semantic = self.meaning.is_semantic
        recipe = self.options.recipe(channels=count, is_semantic=is_semantic)
        painted = self.pairs.painted()
        images = len({id(pair.image) for pair in pairs})
        computing = _settings.tiling()
        is_background, is_new = self.zero.currentText() == BACKGROUND, self.start.value() == SCRATCH
        known = {"is_all_known": is_semantic and is_background}
        share = validation_share(images=images, objects=painted.objects, share=recipe.validation, **known)
        recipe = fit_annotation(recipe, zero_is_background=is_background, is_from_scratch=is_new)
        recipe = recipe.replace(minutes=self.minutes.value(), validation=share, precision=computing.precision)
        start = self.start.value()
        return Plan(
            pairs=pairs,
            reading=self._reading(recipe),
            recipe=recipe,
            name=self.name.text().strip(),
            model=start if isinstance(start, Path) else None,
            regions=self.options.regions.value(),
            axes=self._axes(),
            device=computing.device,
            resumes=self._resumes(),
            class_names=self.meaning.names(),
        )

    def problem(self) -> str:
        """Say why training cannot start; empty where it can."""
        problem = self.pairs.problem(axes=self._axes())
        if problem:
            return problem
        try:
            if not self._resumes():
                library.check_new_name(self.name.text().strip())
        except UnetSegError as error:
            return str(error)
        return self._misfit()

    def _resumes(self) -> bool:
        return self.resume.isChecked() and self._can_resume()

    def _can_resume(self) -> bool:
        """Tell whether the name is that of a run which was cut short."""
        name = self.name.text().strip()
        return bool(name) and not self.session.job.is_running and can_go_on(name)

    def _misfit(self) -> str:
        """Say why the network and the image do not go together."""
        source = self._source()
        if source is None:
            return ""
        if self.start.card is None and self.start.value() != SCRATCH:
            return "This model cannot be read; choose another."
        return misfit(
            source,
            self.start.card,
            ndim=self.options.ndim(),
            channels=self.options.channels(),
            is_semantic=self.meaning.is_semantic,
        )

    def _reading(self, recipe: Recipe) -> Reading:
        return Reading(
            ndim=recipe.network.ndim,
            channels=self.options.channels(),
            zero_is_background=self.zero.currentText() == BACKGROUND,
            background_id=self.options.background.value() or None,
            has_objects=not self.meaning.is_semantic,
            normalization=recipe.normalization,
        )

    def _axes(self) -> str:
        return self.options.axes.text().strip().upper()

    def _source(self) -> ImageSource | None:
        """Return the first image to learn from."""
        image = next((pair.image for pair in self.pairs.value() if pair.image is not None), None)
        try:
            return None if image is None else source_of(image, axes=self._axes())
        except InputError:
            return None

    def _show_live(self) -> None:
        self.live_preview.setChecked(self.session.has_live_preview)
        self.live_labels.setChecked(self.session.has_live_labels)
        self.every.setValue(self.session.preview_every)

    def _show_plan(self) -> None:
        """Show what the run that goes on was started with."""
        plan = self.session.plan
        if plan is not None and self.session.job.is_running:
            self.start.set_value(plan.model or SCRATCH)
            self.minutes.setValue(plan.recipe.minutes or self.minutes.value())
            self.name.setText(plan.name)

    def _connect(self) -> None:
        session = self.session
        self.pairs.changed.connect(self._on_pairs_changed)
        self.pairs.failed.connect(self.message.show_error)
        self.start.changed.connect(self._on_model_changed)
        self.meaning.changed.connect(self._on_meaning_changed)
        self.options.changed.connect(self._on_options_changed)
        self.zero.activated.connect(self._on_zero_activated)
        self.name.textEdited.connect(self._on_name_edited)
        self.resume.toggled.connect(self._on_resume_toggled)
        self.train.clicked.connect(self._on_train_clicked)
        self.pause.clicked.connect(self._on_pause_clicked)
        self.stop.clicked.connect(session.stop)
        self.segment.clicked.connect(lambda: segment_with(self.viewer, session.saved))
        self.card.clicked.connect(self._on_card_clicked)
        self.preview_weights.clicked.connect(lambda: self._preview(session.previews.weights))
        self.preview_augmentation.clicked.connect(lambda: self._preview(session.previews.augmentation))
        self.live_preview.toggled.connect(self._on_live_changed)
        self.live_labels.toggled.connect(self._on_live_changed)
        self.every.valueChanged.connect(self._on_live_changed)
        session.advanced.connect(self._show_run)
        session.told.connect(self._on_session_told)
        session.job.changed.connect(self._show_state)
        session.job.failed.connect(self.message.show_error)
        session.job.finished.connect(self._on_job_finished)
        session.previews.job.failed.connect(self.message.show_error)
        session.previews.job.changed.connect(self._show_state)

    def _on_pairs_changed(self) -> None:
        if not self._zero_is_chosen:
            painted = self.pairs.painted()
            self.zero.setCurrentText(NOT_ANNOTATED if painted.is_little else BACKGROUND)
        source = self._source()
        if source is not None:
            self.options.set_channels(source.sizes["C"])
            if not self._name_is_chosen and not self.session.job.is_running:
                self.name.setText(suggested_name(source.name, resumes=self.resume.isChecked()))
        self._show_state()

    def _on_model_changed(self, _value: Any = None) -> None:
        self.options.set_start(self.start.card)
        self.meaning.suit(self.start.card)
        self._on_pairs_changed()

    def _on_meaning_changed(self) -> None:
        """Start from scratch where the model knows the other of objects and classes."""
        is_semantic, card = self.meaning.is_semantic, self.start.card
        if card is not None and card.target.is_semantic != is_semantic:
            self.start.set_value(SCRATCH)
        self.pairs.set_meaning(is_semantic=is_semantic)
        self.options.weights.setVisible(not is_semantic)
        self._show_state()

    def _on_options_changed(self) -> None:
        self.pairs.set_background(self.options.background.value() or None)
        self._show_state()

    def _on_zero_activated(self, _index: int) -> None:
        self._zero_is_chosen = True
        self._show_state()

    def _on_name_edited(self, text: str) -> None:
        self._name_is_chosen = bool(text)
        self._show_state()

    def _on_resume_toggled(self, is_checked: bool) -> None:
        """Without going on, the name is taken: its model stands."""
        if not is_checked and not self.session.job.is_running:
            self.name.setText(free_name(self.name.text().strip()))
        self._show_state()

    def _on_live_changed(self, _value: Any = None) -> None:
        self.session.has_live_preview = self.live_preview.isChecked()
        self.session.has_live_labels = self.live_labels.isChecked()
        self.session.preview_every = self.every.value()

    def _on_train_clicked(self) -> None:
        self.message.clear()
        self._name_is_chosen = False
        try:
            self.session.start(self.plan())
        except UnetSegError as error:
            self.message.show_error(error)
        self._show_run()

    def _on_job_finished(self) -> None:
        """Suggest a name for the next model; a run that could not go on is left as it is."""
        if self.session.plan is not None and self.session.plan.resumes and not self.session.history.step:
            self.resume.setChecked(False)
        self.name.setText(free_name(self.name.text().strip()))
        self._show_run()

    def _on_pause_clicked(self) -> None:
        job = self.session.job
        (job.resume if job.is_paused else job.pause)()

    def _on_card_clicked(self) -> None:
        if self.session.saved is None:
            return
        try:
            show_card_of(self.session.saved, parent=self)
        except UnetSegError as error:
            self.message.show_error(error)

    def _on_session_told(self, text: str, kind: str) -> None:
        self.message.show_text(text, kind=kind)

    def _preview(self, show: Any) -> None:
        self.message.clear()
        try:
            show(self.plan())
        except UnetSegError as error:
            self.message.show_error(error)

    def _show_state(self, _value: Any = None) -> None:
        """Enable what can be done now, and say what is missing."""
        job = self.session.job
        running = job.is_running
        problem = "" if running else self.problem()
        self.train.setEnabled(not running and not problem)
        self.pause.setEnabled(running and not self.session.is_stopping)
        self.pause.setText("Resume" if job.is_paused else "Pause")
        self.stop.setEnabled(running and not self.session.is_stopping)
        can_show = not problem and not self.session.previews.job.is_running and not running
        self.preview_weights.setEnabled(can_show)
        self.preview_augmentation.setEnabled(can_show)
        self.name.setEnabled(not running)
        self.resume.setVisible(self._can_resume())
        self.hint.setText(problem)
        self.hint.setVisible(bool(problem) and self.pairs.help.isHidden())
        self.after.setVisible(not running and self.session.saved is not None)

    def _show_run(self) -> None:
        """Show curves, share and time left of the run."""
        history, job = self.session.history, self.session.job
        self.curves.setVisible(job.is_running or bool(history.losses))
        self.curves.show_history(history)
        if job.is_running and not history.step:
            self.progress.start("reading images and labels…")
        elif job.is_running:
            detail = f"step {history.step}"
            self.progress.show_fraction(history.fraction, detail=detail, left=history.seconds_left)
        else:
            saved = self.session.saved
            words = f"Saved '{saved.stem}' after {duration(history.seconds)}" if saved is not None else ""
            self.progress.stop(words)
        self._show_state()
