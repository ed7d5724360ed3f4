"""Choosing an architecture and its size, with what it can do and what it costs."""

from __future__ import annotations

from collections.abc import Mapping

from qtpy.QtCore import Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import blended, counted
from napari_unetseg.widgets._form import LABEL, Form, align

DEPENDENT = ("ndim", "depth", "dropout")
"""Fields that not every architecture has."""
LABELS = {"ndim": "Dimensions", "width": "Width", "depth": "Depth", "dropout": "Dropout"}


class NetworkForm(QWidget):
    """A combo box of architectures, the fields and settings that the chosen one has, and a few words about it.

    What there is to choose is not known before it is seen for the first time (`load`), as that takes torch, which would
    hold up the opening of a dock.
    """

    changed = Signal(object)

    def __init__(self, config: NetworkConfig, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = QComboBox()
        self.combo.addItem(config.architecture)
        self._is_loaded = False
        self._kept = config.settings
        self.form = Form(config, list(LABELS), labels=LABELS)
        align(self.form)
        self.settings: Form[Config] | None = None
        self.about = QLabel()
        self.about.setWordWrap(True)
        tip = "The architecture; each file of a model remembers its own [architecture]"
        choice = QFormLayout()
        choice.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        name = QLabel("Network")
        name.setMinimumWidth(LABEL)
        for part in (name, self.combo):
            part.setToolTip(tip)
        choice.addRow(name, self.combo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._place = QVBoxLayout()  # of the settings
        for part in (choice, self.form, self._place, self.about):
            layout.addWidget(part) if isinstance(part, QWidget) else layout.addLayout(part)
        self.combo.currentIndexChanged.connect(self._on_architecture_changed)
        self.form.changed.connect(self._on_changed)

    def load(self) -> None:
        """List all architectures, and tell of the one that is chosen."""
        if self._is_loaded:
            return
        from napari_unetseg.networks import registry

        self._is_loaded = True
        chosen = self.combo.currentText()
        self.combo.blockSignals(True)
        self.combo.clear()
        self.combo.addItems(registry.names())
        self.combo.setCurrentText(chosen)
        self.combo.blockSignals(False)
        self._show_settings(self._kept)
        self._describe()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        """List the architectures when they are first seen."""
        self.load()
        super().showEvent(event)

    def value(self) -> NetworkConfig:
        """Return what is shown; fields that the architecture does not have keep their usual value.

        Of its settings those that are not the usual ones.
        """
        name = self.combo.currentText()
        kept = {field: NetworkConfig.model_fields[field].default for field in DEPENDENT if not self._has(field)}
        settings = self._kept if self.settings is None else self.settings.value().model_dump(exclude_defaults=True)
        return self.form.value().replace(architecture=name, settings=settings, **kept)

    def set_value(self, config: NetworkConfig) -> None:
        """Show `config`."""
        if config.architecture != self.combo.currentText():
            self.load()
            self.combo.setCurrentText(config.architecture)
        self._kept = config.settings
        if self._is_loaded:
            self._show_settings(config.settings)
        self.form.set_value(config)
        self._describe()

    def _has(self, field: str) -> bool:
        if not self._is_loaded:
            return True  # the U-Net has all of them
        from napari_unetseg.networks import registry

        kind = registry.kind_of(self.combo.currentText())
        return len(kind.dimensions) > 1 if field == "ndim" else field in kind.takes

    def _show_settings(self, values: Mapping[str, object]) -> None:
        """Show the settings of the chosen architecture in the place of those of the one before."""
        from napari_unetseg.networks import registry

        kind = registry.kind_of(self.combo.currentText()).Settings
        if self.settings is not None:
            self._place.removeWidget(self.settings)
            self.settings.setParent(None)
            self.settings.deleteLater()
        names = list(kind.model_fields)
        labels = {name: name.replace("_", " ").capitalize() for name in names}
        self.settings = Form(kind.model_validate(values), names, labels=labels)
        align(self.settings)
        self._place.addWidget(self.settings)
        self.settings.changed.connect(self._on_changed)

    def _on_architecture_changed(self, _index: int) -> None:
        if self._is_loaded:
            self._show_settings({})
        self._on_changed()

    def _on_changed(self, _value: object = None) -> None:
        self._describe()
        try:
            self.changed.emit(self.value())
        except InputError:  # the form says it itself
            return

    def _describe(self) -> None:
        if not self._is_loaded:
            return
        for field in DEPENDENT:
            self.form.show_field(field, self._has(field))
        try:
            self.about.setText(about(self.value()))
        except InputError:
            self.about.clear()


def about(config: NetworkConfig) -> str:
    """Say in a few words what an architecture is, what it can do, and what it takes at this size."""
    from napari_unetseg.networks import registry
    from napari_unetseg.networks.cost import size_of

    kind = registry.kind_of(config.architecture)
    size = size_of(config)
    dimensions = " and ".join(f"{ndim}D" for ndim in kind.dimensions)
    tiles = "" if kind.is_tile_exact else f" Sees images at once; large ones in tiles, {blended(kind.seam_error)}."
    return (
        f"{kind.summary} {dimensions}; {counted(size.parameters, 'parameter')}, about "
        f"{size.bytes_per_pixel * 1e6 / 2**20:.0f} MiB for a million pixels.{tiles}"
    )
