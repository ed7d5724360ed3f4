"""The chain of image directories of a TIFF file, walked so that a cut file is not taken for a short one."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from napari_unetseg.schema.errors import InputError

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_MOST_TAGS = 4096


@dataclass(frozen=True, slots=True)
class Chain:
    """How many directories can be reached, and why the chain ends early, if it does."""

    count: int
    fault: str


@dataclass(frozen=True, slots=True)
class _Layout:
    """Byte order and field widths: classic TIFF (TIFF 6.0, section 2) or BigTIFF."""

    order: str
    first: int
    count_format: str
    entry_size: int
    offset_format: str

    def unpack(self, code: str, data: bytes) -> int:
        value: int = struct.unpack(self.order + code, data)[0]
        return value


def walk_chain(path: Path) -> Chain:
    """Follow the offsets from directory to directory; ends on a circle, a cut or an absurd value."""
    size = path.stat().st_size
    with path.open("rb") as file:
        layout = _read_layout(file, path=path)
        seen: set[int] = set()
        offset = layout.first
        while offset:
            if offset in seen:
                return Chain(len(seen), "the chain of directories is circular")
            following = _next_offset(file, offset, layout=layout, size=size)
            if isinstance(following, str):
                return Chain(len(seen), following)
            seen.add(offset)
            offset = following
    return Chain(len(seen), "" if seen else "there is no image directory")


def _read_layout(file: BinaryIO, *, path: Path) -> _Layout:
    header = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(header[:2])
    version = struct.unpack(f"{order}H", header[2:4])[0] if order and len(header) >= 8 else 0
    if order and version == 42:
        return _Layout(order, struct.unpack(f"{order}I", header[4:8])[0], "H", 12, "I")
    if order and version == 43 and len(header) == 16:
        return _Layout(order, struct.unpack(f"{order}Q", header[8:16])[0], "Q", 20, "Q")
    raise InputError(f"{path}: not a complete TIFF header; the file is damaged or of another kind")


def _next_offset(file: BinaryIO, offset: int, *, layout: _Layout, size: int) -> int | str:
    """Return the offset of the directory after the one at `offset`, or what is wrong with that one."""
    beyond = f"a directory at byte {offset} lies beyond the end of the file ({size} bytes): it was cut"
    count_size = struct.calcsize(layout.order + layout.count_format)
    offset_size = struct.calcsize(layout.order + layout.offset_format)
    if offset + count_size > size:
        return beyond
    file.seek(offset)
    tags = layout.unpack(layout.count_format, file.read(count_size))
    if not 0 < tags <= _MOST_TAGS:
        return f"the directory at byte {offset} declares {tags} tags"
    block = file.read(tags * layout.entry_size + offset_size)
    if len(block) < tags * layout.entry_size + offset_size:
        return beyond
    fault = _check_entries(block, tags=tags, layout=layout, size=size)
    return fault or layout.unpack(layout.offset_format, block[-offset_size:])


def _check_entries(block: bytes, *, tags: int, layout: _Layout, size: int) -> str:
    """Refuse a tag whose value is declared larger than the file, before anybody allocates room for it."""
    width = struct.calcsize(layout.order + layout.offset_format)
    entry = struct.Struct(f"{layout.order}HH{layout.offset_format}{layout.offset_format}")
    for index in range(tags):
        code, kind, count, _ = entry.unpack_from(block, index * layout.entry_size)
        length = count * _TYPE_SIZES.get(kind, 1)
        if length > width and length > size:
            return f"tag {code} declares {length} bytes in a file of {size}"
    return ""
