"""What is larger than memory: labels, and a plane with its maps."""

from __future__ import annotations

import dask.array as da
import pytest

from napari_unetseg.images import large
from napari_unetseg.images.large import is_larger_than_memory
from napari_unetseg.images.read import from_array

NETWORK = {"ndim": 2, "channels": 1, "maps": 4}  # 4 * (4 + 2) + 32 = 56 bytes a pixel of a plane


def source(*shape: int):
    return from_array(da.zeros(shape, dtype="u2", chunks=1000), axes="ZYX"[3 - len(shape) :])


@pytest.fixture(autouse=True)
def free(monkeypatch):
    monkeypatch.setattr(large, "available_memory", lambda: 2**34)


def test_labels_of_more_than_a_gibibyte_go_onto_disk() -> None:
    assert not is_larger_than_memory(source(256, 1024, 1024), **NETWORK)
    assert is_larger_than_memory(source(257, 1024, 1024), **NETWORK)


def test_so_do_planes_whose_maps_take_half_of_what_is_free(monkeypatch) -> None:
    plane = source(4096, 4096)  # 64 MiB of labels, 1.7 GiB of maps
    assert not is_larger_than_memory(plane, **NETWORK)
    monkeypatch.setattr(large, "available_memory", lambda: 2**30)
    assert is_larger_than_memory(plane, **NETWORK)


def test_a_volume_counts_as_a_whole_with_a_3d_model() -> None:
    stack = source(200, 1024, 1024)  # 0.8 GiB of labels; 108 MiB of maps by plane, 21 GiB by volume
    assert not is_larger_than_memory(stack, **NETWORK)
    assert is_larger_than_memory(stack, **(NETWORK | {"ndim": 3}))


def test_what_a_person_says_counts() -> None:
    plane = source(1000, 1000)  # 112 bytes a pixel
    assert not is_larger_than_memory(plane, memory=112_000_000, **NETWORK)
    assert is_larger_than_memory(plane, memory=111_999_999, **NETWORK)
    assert not is_larger_than_memory(source(257, 1024, 1024), memory=2**31, **NETWORK)
