"""JSON files from other programs: of a size that memory holds, nested no deeper than Python reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from napari_unetseg.images.budget import available_memory, readable
from napari_unetseg.schema.errors import InputError

LARGEST = 2**31
"""Bytes of a file; the annotations of 100,000 photographs have a quarter of it."""
_GROWTH = 8
"""Memory that parsed JSON takes, in sizes of its file."""


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file; whatever else it holds is an `InputError`."""
    try:
        size = path.stat().st_size
        if size > LARGEST or size * _GROWTH > available_memory():
            raise InputError(
                f"{path}: {readable(size)} of JSON are more than is read at once; split it into files of fewer images"
            )
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check name and rights") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply for annotations; export it again") from error
    except ValueError as error:  # no JSON, no text, or a number of thousands of digits
        raise InputError(f"{path}: is not JSON ({str(error)[:120]}); the file is damaged, export it again") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no JSON object, as COCO and LabelMe files do; export it again")
    return value


def list_in(value: dict[str, Any], key: str, *, path: Path) -> list[dict[str, Any]]:
    """Return the list of objects under a key."""
    found = value.get(key)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise InputError(f"{path}: '{key}' is no list of objects; the file is damaged, export it again")
    return found
