"""One field of a form: the widget for a type with its bounds, and the way from value to widget and back."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QLineEdit, QWidget

UNBOUND = 1e9
AS_IT_IS = "as it is"
FEWEST_CHARACTERS = 12  # of a choice, however narrow the dock
_UNIT = re.compile(r"\((px|%|degrees|GiB)\)")


def field_of(
    name: str, info: FieldInfo, *, value: Any, none: str = "auto", words: Mapping[str, str] | None = None
) -> Field:
    """Return the field for a pydantic field's type; `none` is what it shows for none, `words` for its choices."""
    annotation, may_be_none = _without_none(info.annotation)
    if annotation is bool:
        field: Field = _Flag()
    elif annotation in (int, float):
        field = _Number(info, value=value, is_int=annotation is int, none=none if may_be_none else "")
    elif annotation is str:
        field = _Text()
    elif get_origin(annotation) in (Union, types.UnionType):
        field = _NumberOrWord(annotation, unit=_unit(info))
    elif get_origin(annotation) is Literal:
        field = _Choice(get_args(annotation), words=words or {})
    elif get_origin(annotation) is tuple:
        field = _Numbers(none=none if may_be_none else "")
    else:
        raise TypeError(f"no field for '{name}' of type {info.annotation}")
    field.tooltip = f"{info.description or ''} [{name}]".strip()
    field.native.setToolTip(field.tooltip)
    field.set_value(value)
    return field


class Field(QObject):
    """A widget with a value; `changed` is emitted when a person changes it, never by `set_value`."""

    changed = Signal()
    native: QWidget
    tooltip = ""

    def value(self) -> Any:
        """Return the exact value that was set, unless a person has changed what is shown (rounded) since."""
        shown = self._shown()
        return self._exact if shown == self._displayed else shown

    def set_value(self, value: Any) -> None:
        """Show `value`."""
        self.native.blockSignals(True)
        self._show(value)
        self.native.blockSignals(False)
        self._exact, self._displayed = value, self._shown()

    def _show(self, value: Any) -> None:
        raise NotImplementedError

    def _shown(self) -> Any:
        raise NotImplementedError


class _Flag(Field):
    def __init__(self) -> None:
        super().__init__()
        self.native = QCheckBox()
        self.native.toggled.connect(self.changed)

    def _show(self, value: Any) -> None:
        self.native.setChecked(value)

    def _shown(self) -> bool:
        return self.native.isChecked()


class _Text(Field):
    def __init__(self) -> None:
        super().__init__()
        self.native = QLineEdit()
        self.native.textChanged.connect(self.changed)

    def _show(self, value: Any) -> None:
        self.native.setText(value)

    def _shown(self) -> str:
        return self.native.text().strip()


class _Choice(Field):
    def __init__(self, choices: tuple[Any, ...], *, words: Mapping[str, str]) -> None:
        super().__init__()
        self.native = QComboBox()
        for choice in choices:
            self.native.addItem(words.get(choice, str(choice).replace("_", " ")), choice)
        self.native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.native.setMinimumContentsLength(FEWEST_CHARACTERS)
        self.native.currentIndexChanged.connect(self.changed)

    def _show(self, value: Any) -> None:
        self.native.setCurrentIndex(self.native.findData(value))

    def _shown(self) -> Any:
        return self.native.currentData()


class _Numbers(Field):
    """A few whole numbers with commas between, such as the edges of a patch."""

    def __init__(self, *, none: str) -> None:
        super().__init__()
        self.native = QLineEdit()
        self.native.setPlaceholderText(none)
        self.native.textChanged.connect(self.changed)

    def _show(self, value: Any) -> None:
        self.native.setText(", ".join(map(str, value or ())))

    def _shown(self) -> Any:
        parts = [part.strip() for part in self.native.text().replace("x", ",").split(",") if part.strip()]
        numbers = [int(part) if part.isascii() and part.isdigit() else part for part in parts]
        return tuple(numbers) or None


class _NumberOrWord(Field):
    """A number that is typed, or one of a few words, or none: "as it is"."""

    def __init__(self, annotation: Any, *, unit: str) -> None:
        super().__init__()
        words = [part for kind in get_args(annotation) if get_origin(kind) is Literal for part in get_args(kind)]
        self._words = {word: word for word in words} | {AS_IT_IS: None}
        self._unit = unit
        self.native = QComboBox()
        self.native.setEditable(True)
        self.native.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.native.addItems(list(self._words))
        self.native.editTextChanged.connect(self.changed)

    def _show(self, value: Any) -> None:
        text = next((text for text, word in self._words.items() if word == value), None)
        self.native.setEditText(text if text is not None else f"{value:g}{self._unit}")

    def _shown(self) -> Any:
        text = self.native.currentText().strip()
        if text in self._words:
            return self._words[text]
        try:
            return float(text.removesuffix(self._unit.strip()))
        except ValueError:
            return text


class _Number(Field):
    """A number; where it may be none, one step below the smallest number stands for that."""

    def __init__(self, info: FieldInfo, *, value: float | None, is_int: bool, none: str) -> None:
        super().__init__()
        self._is_int = is_int
        step = 1.0 if is_int else _step(value)
        decimals = 0 if is_int else max(2, 1 - math.floor(math.log10(step)))
        self._low, high = _bounds(info, gap=10.0**-decimals)
        if is_int and none and self._low > 1:
            step = self._low
        self._none = self._low - step if none else None
        self.native = QDoubleSpinBox()
        self.native.setDecimals(decimals)
        self.native.setRange(self._low if self._none is None else self._none, high)
        self.native.setSingleStep(step)
        self.native.setKeyboardTracking(False)
        self.native.setSpecialValueText(none)
        self.native.setSuffix(_unit(info))
        self.native.valueChanged.connect(self._on_native_value_changed)

    def _show(self, value: Any) -> None:
        self.native.setValue(self._none if value is None else value)

    def _shown(self) -> Any:
        value = self.native.value()
        if self._is_none(value):
            return None
        return round(value) if self._is_int else value

    def _is_none(self, value: float) -> bool:
        return self._none is not None and value < self._low - 1e-9

    def _on_native_value_changed(self, value: float) -> None:
        if self._is_none(value) and value != self._none:
            self.native.setValue(self._none)  # between none and the smallest number; this comes back here
        else:
            self.changed.emit()


def _unit(info: FieldInfo) -> str:
    """Return the unit that a field's description tells, as it stands behind a number."""
    unit = _UNIT.search(info.description or "")
    return f" {unit.group(1)}" if unit else ""


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Split `X | None` into X and whether none is allowed."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kept = [part for part in get_args(annotation) if part is not type(None)]
    is_one = len(kept) == 1
    return kept[0] if is_one else annotation, len(kept) < len(get_args(annotation))


def _bounds(info: FieldInfo, *, gap: float) -> tuple[float, float]:
    """Return the smallest and largest number the field allows; a bound that it excludes is left by `gap`."""
    lows = [getattr(rule, "ge", None) for rule in info.metadata]
    lows += [rule.gt + gap for rule in info.metadata if getattr(rule, "gt", None) is not None]
    highs = [getattr(rule, "le", None) for rule in info.metadata]
    highs += [rule.lt - gap for rule in info.metadata if getattr(rule, "lt", None) is not None]
    low = max((bound for bound in lows if bound is not None), default=-UNBOUND)
    return low, min((bound for bound in highs if bound is not None), default=UNBOUND)


def _step(value: float | None) -> float:
    """Return about a twentieth of the value's size, as a power of ten: what one click should change."""
    return 10.0 ** math.floor(math.log10(max(abs(value or 1.0), 1e-6)) - 0.3)
