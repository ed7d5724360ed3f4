"""Devices are found or refused in words; only running out of memory counts as that."""

from __future__ import annotations

import pytest
import torch

from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks import device


def test_cpu_is_always_there() -> None:
    assert device.choose_device("cpu") == torch.device("cpu")


@pytest.mark.skipif(torch.cuda.device_count() > 42, reason="a machine with 43 GPUs")
def test_a_missing_gpu_is_named() -> None:
    with pytest.raises(InputError, match="'cuda:42' is not here"):
        device.choose_device("cuda:42")


def test_a_device_nobody_knows_is_refused() -> None:
    with pytest.raises(InputError, match="no device 'warp'"):
        device.choose_device("warp")


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_a_precision_that_is_asked_for_is_used(precision: str, dtype: torch.dtype) -> None:
    assert device.choose_dtype(precision, device=torch.device("cpu")) is dtype


@pytest.mark.parametrize(
    ("amx", "avx512_bf16", "dtype"),
    [(True, True, torch.bfloat16), (False, True, torch.bfloat16), (False, False, torch.float32)],
)
def test_auto_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, amx: bool, avx512_bf16: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    assert device.choose_dtype("auto", device=torch.device("cpu")) is dtype


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (MemoryError(), True),
        (RuntimeError("MPS backend out of memory"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_the_rest(error: Exception, expected: bool) -> None:
    assert device.is_out_of_memory(error) is expected


def test_free_memory_is_a_sensible_number() -> None:
    assert 2**20 < device.free_memory(torch.device("cpu")) < 2**50
