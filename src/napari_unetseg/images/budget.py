"""Byte budgets: refuse sizes that a file declares before anything of that size is allocated."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_unetseg.schema.errors import InputError

_FALLBACK = 8 * 2**30
_LARGEST_TOTAL = 2**50
SMALLEST = 2**26
"""Bytes of memory below which no network runs."""


def available_memory() -> int:
    """Return the bytes of memory that can be had now, or 8 GiB where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return _FALLBACK


def byte_count(shape: Sequence[int], dtype: np.dtype[np.generic]) -> int:
    """Return the bytes of an array, in exact integers."""
    return math.prod(int(length) for length in shape) * dtype.itemsize


def check_allocation(shape: Sequence[int], dtype: np.dtype[np.generic], *, what: str) -> None:
    """Refuse to allocate more than the available memory."""
    needed, available = byte_count(shape, dtype), available_memory()
    if needed > available:
        raise InputError(
            f"{what}: {readable(needed)} are needed for shape {tuple(shape)} ({dtype}), "
            f"{readable(available)} are available; "
            "read it in smaller regions, or check that the file is intact"
        )


def check_total(shape: Sequence[int], dtype: np.dtype[np.generic], *, what: str) -> None:
    """Refuse declared sizes that no storage holds, even for lazy reading."""
    if byte_count(shape, dtype) > _LARGEST_TOTAL or any(length >= 2**31 for length in shape):
        raise InputError(
            f"{what}: declares shape {tuple(shape)} ({dtype}), which is not plausible; the file is damaged or hostile"
        )


def bytes_of(text: str) -> int:
    """Return the bytes that a person means by "4GiB", "800 MB" or "2g"; all units are powers of 1024."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*", text.lower())
    count = int(float(match[1]) * 1024 ** " kmgt".index(match[2] or " ")) if match else 0
    if count < SMALLEST:
        raise InputError(f"memory is a size of {readable(SMALLEST)} or more, such as 4GiB or 800MB; got '{text}'")
    return count


def readable(count: float) -> str:
    """Return a byte count for people: "3.2 GiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} PiB"
