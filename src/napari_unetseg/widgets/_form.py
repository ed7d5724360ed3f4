"""A frozen pydantic model as a form: its fields become magicgui widgets with bounds, units and tooltips."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

from magicgui.widgets import create_widget
from magicgui.widgets.bases import ValueWidget
from pydantic.fields import FieldInfo
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFormLayout, QLabel, QWidget

from napari_unetseg.schema.config import Config

Model = TypeVar("Model", bound=Config)


class Form(QWidget, Generic[Model]):
    """Shows the fields `names` of `config`; the others keep their value.

    `labels` are the words of a biologist for a field; the term of the literature stays in the tooltip. A field that may
    be none gets the word "auto" below its smallest number.
    """

    changed = Signal(object)

    def __init__(
        self,
        config: Model,
        names: Sequence[str],
        *,
        labels: Mapping[str, str] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._config = config
        self._fields: dict[str, _Field] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        for name in names:
            info = type(config).model_fields[name]
            field = _Field(name, info, value=getattr(config, name), on_change=self._on_change, parent=self)
            label = QLabel((labels or {}).get(name, name.replace("_", " ")))
            label.setToolTip(field.tooltip)
            layout.addRow(label, field.widget.native)
            self._fields[name] = field

    def value(self) -> Model:
        """Return the configuration with what the form shows."""
        return self._config.replace(**{name: field.value() for name, field in self._fields.items()})

    def set_value(self, config: Model) -> None:
        """Show `config`; `changed` is emitted once, if anything changed."""
        before, self._config = self.value(), config
        for name, field in self._fields.items():
            field.set_value(getattr(config, name))
        if config != before:
            self.changed.emit(config)

    def _on_change(self) -> None:
        self.changed.emit(self.value())


class _Field(QObject):
    """One field: its widget, and the way from value to widget and back."""

    def __init__(
        self, name: str, info: FieldInfo, *, value: Any, on_change: Callable[[], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        annotation, may_be_none = _without_none(info.annotation)
        self.tooltip = f"{info.description or ''} [{name}]".strip()
        self._none: float | None = None
        self._step = 1.0
        options: dict[str, Any] = {"tooltip": self.tooltip}
        if annotation in (int, float):
            low, high = _bounds(info, gap=1 if annotation is int else 1e-6)
            self._step = 1 if annotation is int else _step(value, low=low, high=high)
            self._none = low - self._step if may_be_none else None
            options |= {"min": low if self._none is None else self._none, "max": high, "step": self._step}
        self.widget: ValueWidget = create_widget(annotation=annotation, name=name, options=options)
        if annotation is float:
            self.widget.native.setDecimals(max(2, 1 - math.floor(math.log10(self._step))))
        if self._none is not None:
            self.widget.native.setSpecialValueText("auto")
        self.set_value(value)
        self.widget.changed.connect(on_change)

    def value(self) -> Any:
        """Return the exact value that was set, unless a person has changed what is shown (rounded) since."""
        value = self.widget.value
        if value == self._displayed:
            return self._exact
        return None if self._is_none(value) else value

    def set_value(self, value: Any) -> None:
        with self.widget.changed.blocked():
            self.widget.value = self._none if value is None else value
        self._exact, self._displayed = value, self.widget.value

    def _is_none(self, value: Any) -> bool:
        return self._none is not None and value <= self._none + self._step / 2


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Split `X | None` into X and whether none is allowed."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kept = [part for part in get_args(annotation) if part is not type(None)]
    return kept[0], len(kept) < len(get_args(annotation))


def _bounds(info: FieldInfo, *, gap: float) -> tuple[float, float]:
    """Return the smallest and largest number the field allows; a bound it excludes is left by `gap`."""
    low, high = -1e9, 1e9
    for rule in info.metadata:
        low = max(low, getattr(rule, "ge", low), getattr(rule, "gt", low - gap) + gap)
        high = min(high, getattr(rule, "le", high), getattr(rule, "lt", high + gap) - gap)
    return low, high


def _step(value: float | None, *, low: float, high: float) -> float:
    """Return about a twentieth of the value's size, as a power of ten: what one click should change."""
    size = abs(value) if value else min(1.0, high - low)
    return 10.0 ** math.floor(math.log10(max(size, 1e-6)) - 0.3)
