"""The model card as text in a file's header: written with a checksum, read back only when all of it is in order."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from napari_unetseg import __version__
from napari_unetseg.models import strict_json
from napari_unetseg.schema.card import SCHEMA_VERSION, ModelCard

MAX_CARD_BYTES = 2**20
_CARD, _WRITER, _CHECKSUM = "unetseg", "unetseg_version", "unetseg_sha256"


def to_metadata(card: ModelCard) -> dict[str, str]:
    """Return the header's metadata: the card, the version that wrote it, and a checksum over both."""
    text = card.model_dump_json()
    if len(text.encode()) > MAX_CARD_BYTES:
        raise ValueError(f"would need a card of more than {MAX_CARD_BYTES:,} bytes; shorten its texts")
    return {_CARD: text, _WRITER: __version__, _CHECKSUM: _checksum(text, __version__)}


def from_metadata(metadata: Mapping[str, str]) -> ModelCard:
    """Return the card in the header's metadata; `ValueError` says what is wrong with it."""
    if _CARD not in metadata:
        raise ValueError("has no model card; a model of another program must be converted first")
    text, writer = metadata[_CARD], metadata.get(_WRITER, "")
    if len(text) > MAX_CARD_BYTES:
        raise ValueError(f"has a card of more than {MAX_CARD_BYTES:,} characters")
    if metadata.get(_CHECKSUM) != _checksum(text, writer):
        raise ValueError("has a card whose checksum does not match; fetch the model again")
    try:
        fields = strict_json.parse(text)
    except ValueError as error:
        raise ValueError(f"has a card that {error}") from None
    _check_schema(fields, writer=writer)
    try:
        return ModelCard.model_validate(fields)
    except ValidationError as error:
        raise ValueError(f"has a card that is not valid: {sentences(error)}") from None


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether a header's metadata hold a card, be it damaged."""
    return _CARD in metadata


def sentences(error: ValidationError, *, limit: int = 5) -> str:
    """Put what pydantic found into one line: 'network.depth: Input should be ... (got 1000000)'."""
    details = error.errors(include_url=False, include_context=False)
    lines = [_sentence(detail) for detail in details[:limit]]
    if len(details) > limit:
        lines.append(f"and {len(details) - limit} more")
    return "; ".join(lines)


def _sentence(detail: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in detail["loc"])[:80]
    value = repr(detail["input"])
    value = value if len(value) <= 40 else value[:37] + "..."
    if where == "network.architecture":
        return f"unknown architecture {value}"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{where}: {message} (got {value})" if where else message


def _check_schema(fields: Any, *, writer: str) -> None:
    version = fields.get("schema_version") if isinstance(fields, dict) else None
    if not isinstance(version, int):
        raise ValueError("has a card without a schema version")
    if version > SCHEMA_VERSION:
        needed = f">= {writer}" if re.fullmatch(r"\d[\w.+\-]{0,40}", writer) else "in a newer version"
        raise ValueError(
            f"needs napari-unetseg {needed} (its card has schema {version}, this version reads {SCHEMA_VERSION}); "
            "update with: pip install --upgrade napari-unetseg"
        )


def _checksum(text: str, writer: str) -> str:
    return hashlib.sha256(f"{writer}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
