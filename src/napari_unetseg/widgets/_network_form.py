"""Choosing an architecture and its size, with what it can do and what it costs."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QVBoxLayout, QWidget

from napari_unetseg.networks import registry
from napari_unetseg.networks.cost import cost_of
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted
from napari_unetseg.widgets._form import LABEL, Form

DEPENDENT = ("ndim", "depth")
"""Fields that not every architecture has."""


class NetworkForm(QWidget):
    """A combo box of architectures, the fields that the chosen one has, and a few words about it."""

    changed = Signal(object)

    def __init__(self, config: NetworkConfig, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = QComboBox()
        self.combo.addItems(registry.names())
        self.form = Form(
            config, ["ndim", "width", "depth"], labels={"ndim": "Dimensions", "width": "Width", "depth": "Depth"}
        )
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
        for part in (choice, self.form, self.about):
            layout.addLayout(part) if isinstance(part, QFormLayout) else layout.addWidget(part)
        self.set_value(config)
        self.combo.currentIndexChanged.connect(self._on_changed)
        self.form.changed.connect(self._on_changed)

    def value(self) -> NetworkConfig:
        """Return what is shown; fields that the architecture does not have keep their usual value."""
        name = self.combo.currentText()
        kept = {field: NetworkConfig.model_fields[field].default for field in DEPENDENT if not self._has(field)}
        return self.form.value().replace(architecture=name, **kept)

    def set_value(self, config: NetworkConfig) -> None:
        """Show `config`."""
        self.combo.setCurrentText(config.architecture)
        self.form.set_value(config)
        self._describe()

    def _has(self, field: str) -> bool:
        kind = registry.kind_of(self.combo.currentText())
        return len(kind.dimensions) > 1 if field == "ndim" else field in kind.takes

    def _on_changed(self, _value: object = None) -> None:
        self._describe()
        try:
            self.changed.emit(self.value())
        except InputError:  # the form says it itself
            return

    def _describe(self) -> None:
        for field in DEPENDENT:
            self.form.show_field(field, self._has(field))
        try:
            self.about.setText(about(self.value()))
        except InputError:
            self.about.clear()


def about(config: NetworkConfig) -> str:
    """Say in a few words what an architecture is, what it can do, and what it takes at this size."""
    kind = registry.kind_of(config.architecture)
    cost = cost_of(config)
    dimensions = " and ".join(f"{ndim}D" for ndim in kind.dimensions)
    tiles = "" if kind.is_tile_exact else " Sees an image at once, so it must fit into memory."
    return (
        f"{kind.summary} {dimensions}; {counted(cost.parameters, 'parameter')}, about "
        f"{cost.bytes_per_pixel * 1e6 / 2**20:.0f} MiB for a million pixels.{tiles}"
    )
