"""A frozen pydantic model as a form: its fields become widgets with bounds, units and tooltips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from pydantic import ValidationError
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unetseg.schema.base import Config
from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets._field import Field, field_of
from napari_unetseg.widgets._message import COLOURS

LABEL = 118  # px, so that forms below each other are in line
ALIGNED = 120  # px; the longest label of forms that are to look like one
Model = TypeVar("Model", bound=Config)


class Form(QWidget, Generic[Model]):
    """Shows the fields `names` of `config`; the others keep their value.

    `labels` are the words of a biologist for a field; the term of the literature stays in the tooltip. `none` are the
    words for a value that may be none ("auto" unless given), `words` those for the choices of a field. While what is
    shown cannot be (half a word typed), `problem` says why, `value` raises it, and `changed` is silent; `checked`
    carries the problem, or "", each time.
    """

    changed = Signal(object)
    checked = Signal(str)

    def __init__(
        self,
        config: Model,
        names: Sequence[str],
        *,
        labels: Mapping[str, str] | None = None,
        none: Mapping[str, str] | None = None,
        words: Mapping[str, Mapping[str, str]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._config = config
        self._fields: dict[str, Field] = {}
        self._labels: dict[str, str] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for name in names:
            info = type(config).model_fields[name]
            shown = {"none": (none or {}).get(name, "auto"), "words": (words or {}).get(name)}
            field = field_of(name, info, value=getattr(config, name), **shown)
            field.changed.connect(self._on_field_changed)
            field.setParent(self)
            self._labels[name] = (labels or {}).get(name, name.replace("_", " "))
            label = QLabel(self._labels[name])
            label.setToolTip(field.tooltip)
            label.setMinimumWidth(LABEL)
            layout.addRow(label, field.native)
            self._fields[name] = field
        self.problem = ""
        self._hint = QLabel()
        self._hint.setWordWrap(True)
        self._hint.setStyleSheet(f"color: {COLOURS['error']};")
        self._hint.setVisible(False)
        layout.addRow(self._hint)

    def value(self) -> Model:
        """Return the configuration with what the form shows; `InputError` where that cannot be."""
        shown = {name: field.value() for name, field in self._fields.items()}
        try:
            return self._config.replace(**shown)
        except ValidationError as error:
            raise InputError("; ".join(self._complaints(error))) from error

    def set_value(self, config: Model) -> None:
        """Show `config`; `changed` is emitted once, if anything changed."""
        try:
            before: Model | None = self.value()
        except InputError:
            before = None
        self._config = config
        for name, field in self._fields.items():
            field.set_value(getattr(config, name))
        self._check()
        if config != before:
            self.changed.emit(config)

    def show_field(self, name: str, is_shown: bool) -> None:
        """Show or hide a field with its label; it keeps its value."""
        layout = self.layout()
        assert isinstance(layout, QFormLayout)
        layout.setRowVisible(self._fields[name].native, is_shown)

    def tell(self, name: str, text: str) -> None:
        """Add what is known of a field to its tooltip, in the place of what was said before."""
        field = self._fields[name]
        field.native.setToolTip("\n\n".join(part for part in (field.tooltip, text) if part))

    def _complaints(self, error: ValidationError) -> list[str]:
        lines = []
        for detail in error.errors(include_url=False):
            name = str(detail["loc"][0]) if detail["loc"] else ""
            message = detail["msg"].removeprefix("Value error, ")
            if detail["type"] == "string_pattern_mismatch":
                message = f"'{detail['input']}' is none of {type(self._config).model_fields[name].description}"
            lines.append(f"{self._labels.get(name, name)}: {message}" if name else message)
        return lines

    def _on_field_changed(self) -> None:
        config = self._check()
        if config is not None:
            self.changed.emit(config)

    def _check(self) -> Model | None:
        """Say below the fields what cannot be; return the configuration if all can."""
        try:
            config, self.problem = self.value(), ""
        except InputError as error:
            config, self.problem = None, str(error)
        self._hint.setText(self.problem)
        self._hint.setVisible(bool(self.problem))
        self.checked.emit(self.problem)
        return config


def align(*forms: QWidget) -> None:
    """Let forms one below the other look like one."""
    for form in forms:
        layout = form.layout()
        assert isinstance(layout, QFormLayout)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for row in range(layout.rowCount()):
            name = layout.itemAt(row, QFormLayout.ItemRole.LabelRole)
            if name is not None:
                name.widget().setMinimumWidth(ALIGNED)
