"""The container takes exactly what the format allows: no gap, no overlap, no byte too many."""

from __future__ import annotations

import json
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_unetseg.models import container, file
from napari_unetseg.schema.errors import ModelFileError


def with_header(fields: dict[str, Any] | str, content: bytes = b"") -> bytes:
    """A file with exactly this header, whatever it says."""
    text = fields.encode() if isinstance(fields, str) else json.dumps(fields).encode()
    return struct.pack("<Q", len(text)) + text + content


def tensor(begin: int, end: int, shape: list[int], dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_tensors_come_back_where_they_were_put():
    arrays = {"b": np.float32([[1, 2]]), "a": np.float16([3]), "c": np.float32(4).reshape(())}
    tensors, chunks = container.encode(arrays)
    data = container.write_header(tensors, metadata={"k": "v"}) + b"".join(chunks)
    header = container.parse_header(data)
    assert header.metadata == {"k": "v"}
    assert header.tensors == tensors
    assert [part.name for part in tensors] == ["b", "c", "a"]  # wide types first
    assert header.data_start % 8 == 0
    assert header.file_size == len(data)
    content = memoryview(data)[header.data_start :]
    for part in tensors:
        np.testing.assert_array_equal(container.decode(part, content), arrays[part.name])


def test_a_file_without_tensors_is_as_long_as_its_header():
    data = container.write_header((), metadata={})
    assert container.parse_header(data).file_size == len(data)


@pytest.mark.parametrize("change", ["name", "shape", "bytes"])
def test_the_digest_sees_names_shapes_and_bytes(change):
    parts = {"name": ("w", (2,)), "shape": ("v", (1, 2)), "bytes": ("v", (2,))}
    name, shape = parts[change]
    one = container.digest([container.Tensor("v", "F32", (2,), 0, 8)], memoryview(bytes(8)))
    content = bytes(7) + b"\x01" if change == "bytes" else bytes(8)
    assert container.digest([container.Tensor(name, "F32", shape, 0, 8)], memoryview(content)) != one


def test_a19_bfloat16_from_another_device_loads_as_float32():
    values = np.float32([1.0, -2.5, 0.0078125])  # exact in bfloat16
    content = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    part = container.Tensor("w", "BF16", (3,), 0, 6)
    np.testing.assert_array_equal(container.decode(part, memoryview(content)), values)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (struct.pack("<Q", 2**62) + b"{}", "not in safetensors format"),
        (struct.pack("<Q", 1000) + b"{}", "cut off inside its header"),
        (with_header({"w": tensor(0, 8, [2]), "v": tensor(4, 12, [2])}, bytes(12)), "gap or an overlap"),
        (with_header({"w": tensor(0, 8, [2]), "v": tensor(12, 20, [2])}, bytes(20)), "gap or an overlap"),
        (with_header({"w": tensor(4, 8, [1])}, bytes(8)), "gap or an overlap"),
        (with_header({"w": tensor(0, 4, [2**40])}, bytes(4)), "has 4 bytes for the tensor 'w'"),
        (with_header({"w": tensor(0, 2**62, [2**60])}), "impossible"),
        (with_header({"w": tensor(0, 4, [-1])}, bytes(4)), "impossible shape"),
        (with_header({"w": tensor(0, 4, [True])}, bytes(4)), "impossible shape"),
        (with_header({"w": tensor(0, 4, [1] * 9)}, bytes(4)), "impossible shape"),
        (with_header({"w": tensor(8, 4, [1])}, bytes(8)), "bytes for the tensor"),
        (with_header({"w": {**tensor(0, 4, [1]), "data_offsets": [0]}}, bytes(4)), "impossible offsets"),
        (with_header({"w": tensor(0, 4, [1], "I32")}, bytes(4)), "of type 'I32'"),
        (with_header({"w": tensor(0, 4, [1], ["F32"])}, bytes(4)), "of type"),
        (with_header({"w": {**tensor(0, 4, [1]), "more": 1}}, bytes(4)), "wrongly"),
        (with_header({"w": 3}), "wrongly"),
        (with_header({"../w": tensor(0, 4, [1])}, bytes(4)), "impossible name"),
        (with_header({"w": tensor(0, 4, [1])}, bytes(5)), "bytes after its end"),
        (with_header({"__metadata__": {"unetseg": 3}}), "metadata"),
        (with_header({}), "no model card"),
        (with_header('{"w":1,"w":1}'), "the key 'w' twice"),
        (with_header('{"w": NaN}'), "not finite"),
        (with_header('{"w": 1e999}'), "out of range"),
        (with_header('{"w": ' + "9" * 6000 + "}"), "out of range"),
        (with_header('{"w":' + "[" * 100_000), "nested too deeply"),
        (with_header('{"w":' + "[" * 30 + "]" * 30 + "}"), "nested deeper"),
        (with_header('{"w": '), "not JSON"),
    ],
)
def test_a10_a11_a_header_that_does_not_add_up_is_refused_at_once(data, expected):
    started = time.perf_counter()
    with pytest.raises(ModelFileError, match=expected):
        file.parse(data, path=Path("toy.safetensors"))
    assert time.perf_counter() - started < 1


def test_a10_a_header_over_the_limit_is_not_read():
    start = struct.pack("<Q", container.MAX_HEADER_BYTES + 1) + b"{"
    assert not container.looks_right(start)
    assert container.looks_right(struct.pack("<Q", container.MAX_HEADER_BYTES) + b"{")
