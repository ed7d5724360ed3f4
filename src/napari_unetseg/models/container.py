"""The safetensors container, written and read strictly: 8 bytes of length, a JSON header, the tensors without a gap.

::

    +--------+----------------------------------------------------+-----------+-----------+---
    | u64 LE | {"__metadata__": {..}, "name": {dtype, shape, ..}} | tensor 0  | tensor 1  | ..
    +--------+----------------------------------------------------+-----------+-----------+---
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_unetseg.models import strict_json

MAX_HEADER_BYTES = 16 * 2**20
_BYTES = {"F32": 4, "F16": 2, "BF16": 2}
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}")


@dataclass(frozen=True, slots=True)
class Tensor:
    """Where one tensor lies: bytes `begin` to `end` after the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """The checked header: strings about the file, and the tensors in the order of their bytes."""

    metadata: dict[str, str]
    tensors: tuple[Tensor, ...]
    data_start: int

    @property
    def file_size(self) -> int:
        """Bytes the whole file must have."""
        return self.data_start + (self.tensors[-1].end if self.tensors else 0)


def looks_right(start: bytes) -> bool:
    """Tell from the first 9 bytes whether this can be a safetensors file at all."""
    return len(start) >= 9 and 2 <= _header_length(start) <= MAX_HEADER_BYTES and start[8:9] == b"{"


def parse_header(start: bytes) -> Header:
    """Check the header that `start` begins with; `ValueError` says what is wrong."""
    length = _header_length(start)
    if len(start) < 8 + length:
        raise ValueError("is cut off inside its header")
    fields = strict_json.parse(start[8 : 8 + length])
    if not isinstance(fields, dict):
        raise ValueError("has a header that is not a JSON object")
    metadata = fields.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("has metadata that are not texts")
    tensors = tuple(sorted((_tensor(*item) for item in fields.items()), key=lambda tensor: (tensor.begin, tensor.end)))
    _check_layout(tensors)
    return Header(metadata=metadata, tensors=tensors, data_start=8 + length)


def header_bytes_needed(start: bytes) -> int:
    """Return how many bytes from the start of the file `parse_header` needs."""
    return 8 + _header_length(start)


def decode(tensor: Tensor, content: memoryview) -> NDArray[np.float32]:
    """Return the tensor as a writable float32 array of its own; `content` is everything after the header."""
    raw = content[tensor.begin : tensor.end]
    match tensor.dtype:
        case "F32":
            values = np.frombuffer(raw, dtype="<f4").astype(np.float32)
        case "F16":
            values = np.frombuffer(raw, dtype="<f2").astype(np.float32)
        case _:  # BF16 is the upper half of a float32
            values = (np.frombuffer(raw, dtype="<u2").astype(np.uint32) << 16).view(np.float32)
    return values.reshape(tensor.shape)


def encode(arrays: Mapping[str, NDArray[Any]]) -> tuple[tuple[Tensor, ...], list[bytes]]:
    """Lay float32 and float16 arrays out one after the other, wide types first so that all stay aligned."""
    tensors, chunks, begin = [], [], 0
    for name, array in sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0])):
        if not _NAME.fullmatch(name):
            raise ValueError(f"cannot hold a tensor named {name[:60]!r}")
        chunk = np.asarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        dtype = {4: "F32", 2: "F16"}[array.itemsize]
        tensors.append(Tensor(name, dtype, tuple(array.shape), begin, begin + len(chunk)))
        chunks.append(chunk)
        begin += len(chunk)
    return tuple(tensors), chunks


def write_header(tensors: Sequence[Tensor], *, metadata: Mapping[str, str]) -> bytes:
    """Return the length and the header, padded so that the tensors start at a multiple of 8."""
    fields: dict[str, Any] = {"__metadata__": dict(metadata)}
    for tensor in tensors:
        offsets = [tensor.begin, tensor.end]
        fields[tensor.name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(fields, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def digest(tensors: Sequence[Tensor], content: memoryview) -> str:
    """Return the sha256 of all tensors in the order of their names.

    Each adds one line of JSON, `["name","dtype",[shape]]`, and then its bytes; so renaming or reshaping changes it too.
    """
    total = hashlib.sha256()
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        line = json.dumps([tensor.name, tensor.dtype, list(tensor.shape)], separators=(",", ":"))
        total.update(line.encode() + b"\n")
        total.update(content[tensor.begin : tensor.end])
    return total.hexdigest()


def _header_length(start: bytes) -> int:
    return int.from_bytes(start[:8], "little")


def _tensor(name: str, entry: Any) -> Tensor:
    if not _NAME.fullmatch(name):
        raise ValueError(f"has a tensor with the impossible name {name[:60]!r}")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"describes the tensor {name!r} wrongly")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BYTES:
        raise ValueError(f"has the tensor {name!r} of type {str(dtype)[:20]!r}; weights are {', '.join(_BYTES)}")
    if not _are_sizes(shape) or len(shape) > 8:
        raise ValueError(f"gives the tensor {name!r} an impossible shape")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"gives the tensor {name!r} impossible offsets")
    begin, end = offsets
    if math.prod(shape) * _BYTES[dtype] != end - begin:
        raise ValueError(f"has {end - begin} bytes for the tensor {name!r} of type {dtype} and shape {shape}")
    return Tensor(name, dtype, tuple(shape), begin, end)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _check_layout(tensors: Sequence[Tensor]) -> None:
    position = 0
    for tensor in tensors:
        if tensor.begin != position:
            raise ValueError(f"has a gap or an overlap before the tensor {tensor.name!r}")
        position = tensor.end
