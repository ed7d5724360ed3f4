"""Every setting goes through a form and comes back as it was; what cannot be is said, never raised in a slot."""

from __future__ import annotations

import inspect
from typing import Literal, get_origin

import pytest
from pydantic import Field

from napari_unetseg.schema import config as configs
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig, Recipe, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets._form import Form

CLASSES = [
    one for _, one in inspect.getmembers(configs, inspect.isclass) if issubclass(one, Config) and one is not Config
]
OTHERS = {  # values of every kind that are no defaults, all within bounds
    int: [3, 4, 7],
    float: [0.1234567, 0.3, 40.0, 60.0],
}


def plain_fields(kind: type[Config]) -> list[str]:
    """Return the fields that a form can show: neither settings within settings, nor a table of them."""
    return [
        name
        for name, info in kind.model_fields.items()
        if not (inspect.isclass(info.annotation) and issubclass(info.annotation, Config))
        and get_origin(info.annotation) is not dict
    ]


@pytest.fixture
def form_of(qtbot):
    def build(config: Config, *names: str, **options) -> Form:
        form = Form(config, names or plain_fields(type(config)), **options)
        qtbot.addWidget(form)
        return form

    return build


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_defaults_come_back_exactly_and_every_field_is_explained(form_of, kind) -> None:
    form = form_of(kind())
    assert form.value() == kind()
    assert all(field.tooltip.endswith(f"[{name}]") and len(field.tooltip) > 15 for name, field in form._fields.items())


def alternatives(kind: type[Config], name: str) -> list:
    """Values that the class takes for a field and that differ from its default."""
    candidates = ["cpu", "cuda:1", "unet_small", True, False, None, (64, 64), (8, 64, 64), 1e-5, 2**32 - 1]
    candidates += [*OTHERS[int], *OTHERS[float]]
    for literal in ("distance", "boundary", "focal", "bfloat16", "plane", "valid", "none", 3):
        candidates.append(literal)
    found = []
    for value in candidates:
        try:
            changed = kind().replace(**{name: value})
        except ValueError:
            continue
        if changed != kind():
            found.append(changed)
    return found


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in CLASSES for name in plain_fields(kind)], ids=lambda one: str(one)[-40:]
)
def test_any_value_that_is_set_comes_back_exactly(form_of, kind, name) -> None:
    form = form_of(kind(), name)
    others = alternatives(kind, name)
    assert others or name in ("out_channels", "flat_levels", "kind", "classes")  # those that hang on other fields
    for config in others:
        form.set_value(config)
        assert form.value() == config
        assert form.problem == ""


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in CLASSES
        for name in plain_fields(kind)
        if any(one in str(kind.model_fields[name].annotation) for one in ("int", "float"))
        and "tuple" not in str(kind.model_fields[name].annotation)
        and "Literal" not in str(kind.model_fields[name].annotation)
    ],
    ids=lambda one: str(one)[-40:],
)
def test_the_ends_of_every_range_are_allowed(form_of, kind, name) -> None:
    """An excluded bound (0 < threshold) must not be reachable by holding the arrow."""
    form = form_of(kind(), name)
    spin = form._fields[name].native
    rules = kind.model_fields[name].metadata
    for end in (spin.minimum(), spin.maximum()):
        spin.setValue(end)
        value = form._fields[name].value()
        for rule in rules:
            for bound, fits in (("ge", "__ge__"), ("gt", "__gt__"), ("le", "__le__"), ("lt", "__lt__")):
                if value is not None and hasattr(rule, bound):
                    assert getattr(float(value), fits)(float(getattr(rule, bound)))


def test_none_is_a_step_below_the_smallest_number(form_of) -> None:
    form = form_of(TilingConfig(), "tile")
    spin = form._fields["tile"].native
    assert spin.text() == "auto"
    spin.stepUp()
    assert form.value().tile == 16
    spin.stepUp()
    assert form.value().tile == 32
    spin.setValue(5)  # typed: less than is allowed
    assert form.value().tile is None
    assert spin.text() == "auto"


def test_a_number_is_typed_where_there_are_words_too(form_of, qtbot) -> None:
    form = form_of(DecodingConfig(diameter="auto"), "diameter")
    field = form._fields["diameter"]
    assert field.native.currentText() == "auto"
    with qtbot.waitSignal(form.changed):
        field.native.setEditText("84 px")
    assert form.value().diameter == 84
    field.native.setEditText("as it is")
    assert form.value().diameter is None
    for wrong in ("wide", "-3", "0", "nan"):
        field.native.setEditText(wrong)
        assert "above 0" in form.problem
    form.set_value(DecodingConfig(diameter=40.5))
    assert (field.native.currentText(), form.problem) == ("40.5 px", "")


def test_what_is_known_of_a_field_stands_in_its_tooltip(form_of) -> None:
    form = form_of(DecodingConfig(), "diameter")
    tooltip = form._fields["diameter"].native.toolTip()
    form.tell("diameter", "cells: measured 84 px")
    assert form._fields["diameter"].native.toolTip() == f"{tooltip}\n\ncells: measured 84 px"
    form.tell("diameter", "")
    assert form._fields["diameter"].native.toolTip() == tooltip


def test_none_has_words_of_its_own(form_of) -> None:
    form = form_of(Recipe(), "patience", none={"patience": "never"})
    assert form._fields["patience"].native.text() == "never"


def test_changed_is_told_once_with_the_new_value(form_of, qtbot) -> None:
    form = form_of(DecodingConfig(), "threshold", "min_size")
    told: list = []
    form.changed.connect(told.append)
    form._fields["threshold"].native.setValue(0.7)
    assert told == [DecodingConfig(threshold=0.7)]
    form.set_value(DecodingConfig(threshold=0.2, min_size=99))
    assert told[1:] == [DecodingConfig(threshold=0.2, min_size=99)]
    form.set_value(DecodingConfig(threshold=0.2, min_size=99))
    assert len(told) == 2


def test_fields_that_are_not_shown_keep_their_value(form_of) -> None:
    form = form_of(DecodingConfig(link_overlap=0.77), "threshold")
    form._fields["threshold"].native.setValue(0.9)
    assert form.value() == DecodingConfig(link_overlap=0.77, threshold=0.9)


def test_half_a_word_is_a_problem_in_words_and_no_exception(form_of) -> None:
    form = form_of(TilingConfig(), "device", labels={"device": "Device"})
    told: list = []
    form.changed.connect(told.append)
    form._fields["device"].native.setText("cud")
    assert form.problem.startswith("Device: 'cud' is none of 'auto', 'cpu'")
    assert not form._hint.isHidden()
    assert told == []
    with pytest.raises(InputError, match="cud"):
        form.value()
    form._fields["device"].native.setText("cuda")
    assert (form.problem, told) == ("", [TilingConfig(device="cuda")])
    form._fields["device"].native.setText("?")
    form.set_value(TilingConfig(device="cpu"))
    assert form.problem == ""


def test_fields_that_do_not_fit_together_are_a_problem_too(form_of) -> None:
    form = form_of(NetworkConfig(), "width", "depth")
    form._fields["width"].native.setValue(256)
    form._fields["depth"].native.setValue(7)
    assert "needs over 8192 channels" in form.problem


def test_numbers_with_commas(form_of) -> None:
    form = form_of(Recipe(), "patch")
    form._fields["patch"].native.setText("64 x 48")
    assert form.value().patch == (64, 48)
    form._fields["patch"].native.setText("64, many")
    assert form.problem
    form._fields["patch"].native.setText("")
    assert form.value().patch is None


def test_units_stand_beside_numbers(form_of) -> None:
    form = form_of(configs.AugmentationConfig(), "rotation", "elastic")
    assert form._fields["rotation"].native.suffix() == " degrees"
    assert form._fields["elastic"].native.suffix() == " px"


def test_a_field_without_a_widget_is_refused(qtbot) -> None:
    class Odd(Config):
        table: dict[str, int] = Field(default_factory=dict)
        choice: Literal["a"] = "a"

    with pytest.raises(TypeError, match="no field for 'table'"):
        Form(Odd(), ["table"])
