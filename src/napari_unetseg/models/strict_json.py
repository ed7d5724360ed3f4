"""JSON from files nobody vouches for: no duplicate keys, no infinities, bounded nesting."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 24


def parse(text: str | bytes) -> Any:
    """Return the parsed value; `ValueError` says in a few words what is wrong with the text."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_int=_small, parse_constant=_refuse_constant
        )
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON ({error.msg} at character {error.pos})") from None
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    _check_depth(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"has the key {key[:60]!r} twice")
        result[key] = value
    return result


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"has a number out of range ({text[:20]})")
    return value


def _small(text: str) -> int:
    if len(text) > 20:  # longer than any 64-bit integer
        raise ValueError(f"has a number out of range ({text[:20]}...)")
    return int(text)


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"has a number that is not finite ({text})")


def _check_depth(value: Any) -> None:
    """Walk level by level, so that the check itself cannot recurse too deeply."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
