"""What an architecture can be set to: each setting with type, bounds and meaning, and its value from a typed word."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError

SHARED = ("depth", "padding", "norm", "dropout", "flat_levels")
"""Fields of `NetworkConfig` that some architectures heed."""
BOUNDS = {"ge": "minimum", "gt": "above", "le": "maximum", "lt": "below"}


def fields_of(kind: type[Network]) -> dict[str, FieldInfo]:
    """Return all that an architecture can be set to besides its width: first its own settings, then shared fields."""
    shared = {name: info for name, info in NetworkConfig.model_fields.items() if name in kind.takes}
    return {**kind.Settings.model_fields, **shared}


def describe_settings(kind: type[Network]) -> list[dict[str, Any]]:
    """Say of each setting its name, type, default, choices or bounds, and what it means."""
    return [_describe(name, info) for name, info in fields_of(kind).items()]


def _describe(name: str, info: FieldInfo) -> dict[str, Any]:
    choices = list(_choices(info))
    kind = type(info.default) if choices else info.annotation
    facts: dict[str, Any] = {"name": name, "type": getattr(kind, "__name__", str(kind)), "default": info.default}
    if choices:
        facts["choices"] = choices
    for rule in info.metadata:
        facts |= {word: getattr(rule, bound) for bound, word in BOUNDS.items() if hasattr(rule, bound)}
    return {**facts, "description": info.description or ""}


def _choices(info: FieldInfo) -> tuple[Any, ...]:
    return get_args(info.annotation) if get_origin(info.annotation) is Literal else ()


def read_settings(texts: Mapping[str, str], *, kind: type[Network], name: str) -> dict[str, Any]:
    """Return what `NetworkConfig` holds for words such as {"attention": "true", "dropout": "0.2"}.

    Settings of the architecture stand in "settings", fields that it shares with others beside it.
    """
    fields = fields_of(kind)
    for key in texts:
        if key not in fields:
            raise InputError(unknown(key, fields, name=name))
    values = {key: _value(text) for key, text in texts.items()}
    own = {key: value for key, value in values.items() if key in kind.Settings.model_fields}
    checked = check_settings(own, kind=kind, name=name, listed=fields)
    shared = {key: value for key, value in values.items() if key not in own}
    return {**shared, "settings": {key: getattr(checked, key) for key in own}} if own else shared


def check_settings(
    values: Mapping[str, Any], *, kind: type[Network], name: str, listed: Iterable[str] | None = None
) -> Any:
    """Return the settings of an architecture; `InputError` names the first one that cannot be.

    The error lists the architecture's own settings, or those that are to be `listed`.
    """
    try:
        return kind.Settings.model_validate(values)
    except ValidationError as error:
        first, known = error.errors(include_url=False)[0], kind.Settings.model_fields
    where = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        if where in kind.takes or where in NetworkConfig.model_fields.keys() - SHARED:
            raise InputError(
                f"network '{name}', setting '{where}': it belongs under [network], not under [network.settings]; "
                "move it there"
            )
        raise InputError(unknown(where, known, name=name))
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if first["type"] in ("bool_parsing", "bool_type"):
        message = "must be true or false"
    hint = _nearest(first["input"], _choices(known[where])) if where in known else ""
    raise InputError(
        f"network '{name}', setting '{where}': {message}, got {first['input']!r}{hint}; "
        f"its settings: {', '.join(known if listed is None else listed)}"
    )


def unknown(key: str, known: Iterable[str], *, name: str) -> str:
    """Say that an architecture has no such setting, which it has, and which may be meant."""
    names = list(known)
    return f"network '{name}', setting '{key}': there is none{_nearest(key, names)}; its settings: " + (
        ", ".join(names) or "none"
    )


def _nearest(given: object, known: Iterable[Any]) -> str:
    close = difflib.get_close_matches(str(given), [str(one) for one in known], n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _value(text: str) -> bool | int | float | str:
    """Return the truth value or number that a word says, else the word."""
    word = text.strip()
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
