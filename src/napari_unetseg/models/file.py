"""A model as one .safetensors file: card and weights, saved whole, loaded only when every byte is in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.models import card_text, container, disk, sniff, strict_json
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.errors import ModelFileError

Weights = dict[str, NDArray[np.float32]]


def save(path: str | Path, *, card: ModelCard, weights: Mapping[str, NDArray[Any]], half: bool = False) -> ModelCard:
    """Write card and weights to `path`, replacing what is there in one step; return the card with its checksum.

    `half` stores float16: half the size, three digits of precision; loading gives float32 again.
    """
    path = Path(path)
    arrays = {name: _storable(array, name=name, half=half, path=path) for name, array in weights.items()}
    try:
        tensors, chunks = container.encode(arrays)
        content = b"".join(chunks)
        card = card.replace(sha256=container.digest(tensors, memoryview(content)))
        metadata = card_text.to_metadata(card)
        card_text.from_metadata(metadata)  # what is saved can be loaded
        header = container.write_header(tensors, metadata=metadata)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from error
    disk.write(path, [header, content])
    return card


def load(path: str | Path) -> tuple[ModelCard, Weights]:
    """Return the card and the weights, as float32; nothing in the file is ever run."""
    path = Path(path)
    return parse(disk.read(path), path=path)


def read_card(path: str | Path) -> ModelCard:
    """Return the card alone: quick, as only the header is read; the weights stay unchecked but for their size."""
    path = Path(path)
    with disk.open_regular(path) as (stream, size):
        start = stream.read(9)
        if container.looks_right(start):
            start += stream.read(container.header_bytes_needed(start) - len(start))
        else:
            start += stream.read(max(0, size - len(start)))  # the directory of a zip lies at its end
    return _header(start, size=size, path=path)[1]


def is_foreign(path: str | Path) -> bool:
    """Whether this is a sound safetensors file of another program: its header can be read and holds no card of ours."""
    with disk.open_regular(Path(path)) as (stream, _):
        start = stream.read(9)
        if not container.looks_right(start):
            return False
        start += stream.read(container.header_bytes_needed(start) - len(start))
    try:
        header = strict_json.parse(start[8:])
    except ValueError:
        return False
    metadata = header.get("__metadata__") if isinstance(header, dict) else None
    return not card_text.is_ours(metadata if isinstance(metadata, dict) else {})


def parse(data: bytes, *, path: Path) -> tuple[ModelCard, Weights]:
    """Return what the bytes of a model file hold; `path` is for messages only.

    The bytes that are hashed are the bytes that become weights: a file exchanged meanwhile changes nothing.
    """
    header, card = _header(data, size=len(data), path=path)
    content = memoryview(data)[header.data_start :]
    if container.digest(header.tensors, content) != card.sha256:
        raise ModelFileError(f"{path}: checksum does not match, so its weights are damaged; fetch the model again")
    weights = {tensor.name: container.decode(tensor, content) for tensor in header.tensors}
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise ModelFileError(f"{path}: the weights '{name}' hold NaN or infinity; train or export the model again")
    return card, weights


def _header(start: bytes, *, size: int, path: Path) -> tuple[container.Header, ModelCard]:
    if not container.looks_right(start):
        raise ModelFileError(f"{path}: {sniff.describe(start)}")
    try:
        header = container.parse_header(start)
        if size != header.file_size:
            what = "is cut off" if size < header.file_size else "has bytes after its end"
            raise ValueError(
                f"{what} ({size:,} bytes, its header tells of {header.file_size:,}); fetch the model again"
            )
        return header, card_text.from_metadata(header.metadata)
    except ValueError as error:
        raise ModelFileError(f"{path}: {error}") from None


def _storable(array: NDArray[Any], *, name: str, half: bool, path: Path) -> NDArray[Any]:
    if array.dtype.kind != "f":
        raise ModelFileError(f"{path}: the weights '{name}' are {array.dtype}; only floating-point weights are saved")
    with np.errstate(over="ignore"):
        stored = array.astype(np.float16 if half else np.float32)
    if not np.isfinite(stored).all():
        remedy = "lower the learning rate and train again" if not half else "train again, or save without half=True"
        raise ModelFileError(f"{path}: not saved, as the weights '{name}' hold NaN or infinity; {remedy}")
    return stored
