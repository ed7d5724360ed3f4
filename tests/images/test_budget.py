"""Byte budgets."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.budget import available_memory, byte_count, check_allocation, check_total, readable
from napari_unetseg.schema.errors import InputError


def test_bytes_are_counted_exactly() -> None:
    assert byte_count((2**31, 2**31), np.dtype(np.uint64)) == 2**65
    assert byte_count((), np.dtype(np.uint16)) == 2


def test_allocation_within_memory_passes_and_beyond_is_refused() -> None:
    check_allocation((10, 10), np.dtype(np.uint8), what="x.tif")
    with pytest.raises(InputError, match=r"x\.tif: .* available"):
        check_allocation((available_memory() * 2,), np.dtype(np.uint8), what="x.tif")


@pytest.mark.parametrize("shape", [(2**31, 1), (2**26, 2**26)])
def test_implausible_totals_are_refused(shape: tuple[int, ...]) -> None:
    check_total((40_000, 2**16, 2**16), np.dtype(np.uint8), what="large but possible")
    with pytest.raises(InputError, match="plausible"):
        check_total(shape, np.dtype(np.uint8), what="x")


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (2**50, "1.0 PiB")]
)
def test_sizes_for_people(count: int, text: str) -> None:
    assert readable(count) == text
