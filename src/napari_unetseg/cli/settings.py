"""From words on the command line and recipe files to validated settings, with errors in the user's terms."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError

Settings = TypeVar("Settings", bound=Config)


def apply_options(settings: Settings, **options: Any) -> Settings:
    """Return `settings` with the options that were given (not None); names are those of the fields."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return settings.replace(**given)
    except ValidationError as error:
        option = {name: f"--{name.replace('_', '-')}" for name in given}
        raise InputError("; ".join(complaints(error, model=type(settings), names=option))) from error


def read_recipe(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML recipe; what they hold is checked by `make_recipe`."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: the recipe cannot be read ({error.strerror}); check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: this is not TOML ({error}); write lines like 'batch = 4'") from error


def make_recipe(layers: Iterable[Mapping[str, Any]], *, where: str) -> Recipe:
    """Lay mappings over each other, later ones winning key by key, and validate; `where` names the source of errors.

    The output channels follow the target unless a layer sets them.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merge(merged, layer)
    try:
        recipe = Recipe.model_validate({**merged, "network": _fit_outputs(merged)})
    except ValidationError as error:
        raise InputError(f"{where}: " + "; ".join(complaints(error, model=Recipe, names={}))) from error
    return recipe


def _fit_outputs(merged: Mapping[str, Any]) -> Any:
    network, target = merged.get("network", {}), merged.get("target", {})
    if not isinstance(network, Mapping) or not isinstance(target, Mapping) or "out_channels" in network:
        return network
    kind = str(target.get("kind", "both"))
    outputs = {"boundary": 3, "distance": 3, "both": 4, "semantic": target.get("classes", 2)}.get(kind, 4)
    return {**network, "out_channels": outputs}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another; what stands where a table belongs stays, so that it is refused."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        if isinstance(value, Mapping) and old is not None:
            result[key] = _merge(old, value) if isinstance(old, Mapping) else old
        else:
            result[key] = value
    return result


def complaints(error: ValidationError, *, model: type[BaseModel], names: Mapping[str, str]) -> list[str]:
    """Say of each problem which key, what is wrong, and what was given."""
    lines = []
    for problem in error.errors(include_url=False):
        keys = [str(key) for key in problem["loc"]]
        name = names.get(keys[0], ".".join(keys)) if keys else ""
        if problem["type"] == "extra_forbidden":
            known = _known(model, keys[:-1])
            lines.append(f"unknown key '{'.'.join(keys)}'{_hint(keys, known=known)}; known here: {', '.join(known)}")
            continue
        message = problem["msg"].removeprefix("Value error, ")
        message = message[:1].lower() + message[1:]
        given = repr(problem["input"])
        got = "" if given in message else f", got {given}"
        lines.append(f"{name}: {message}{got}" if name else message)
    return lines


def _hint(keys: list[str], *, known: Sequence[str]) -> str:
    """Say where a key belongs that is an architecture's own setting, or which of the known ones is nearest."""
    from napari_unetseg.cli.network_settings import belongs_to_settings

    if keys[:-1] == ["network"] and belongs_to_settings(keys[-1]):
        return ": it belongs under [network.settings]; move it there"
    close = difflib.get_close_matches(keys[-1], known, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _known(model: type[BaseModel], keys: list[str]) -> list[str]:
    for key in keys:
        inner = model.model_fields[key].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return sorted(model.model_fields)


def numbers(text: str, *, option: str) -> tuple[int, ...]:
    """Read '12,1024,1024' (or '12x1024x1024') as whole numbers above 0."""
    parts = text.lower().replace("x", ",").split(",")
    try:
        values = tuple(int(part) for part in parts)
    except ValueError:
        values = (0,)
    if min(values) < 1:
        raise InputError(f"{option} takes whole numbers above 0 with commas between, such as 512,512; got '{text}'")
    return values


def diameter_of(text: str) -> float | str | None:
    """Read the value of --diameter: a number of pixels above 0, 'auto', or 'none'."""
    word = text.strip().lower()
    if word in ("auto", "none"):
        return None if word == "none" else word
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise InputError(f"--diameter takes a number of pixels above 0, 'auto' or 'none'; got '{text}'")
    return value


def channel_list(given: list[str] | None) -> list[int] | None:
    """Read the values of --channel: repeated, or with commas between; none means all."""
    if not given:
        return None
    parts = [part.strip() for text in given for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise InputError(f"--channel takes channel numbers counted from 0, such as 0 or 0,2; got '{','.join(given)}'")
    return [int(part) for part in parts]


def name_list(text: str | None) -> tuple[str, ...]:
    """Read names with commas between; none if nothing is given."""
    return () if text is None else tuple(name.strip() for name in text.split(",") if name.strip())
