"""Where a network runs, and in which number format."""

from __future__ import annotations

import torch

from napari_unetseg.images.budget import available_memory
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import Precision
from napari_unetseg.schema.errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called `name`; 'auto' prefers CUDA, then Apple's MPS, then the CPU."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"there is no device '{name}'; use 'auto', 'cpu', 'cuda', 'cuda:1' or 'mps'") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device '{name}' is not here: {torch.cuda.device_count()} CUDA devices found; use 'auto' or 'cpu'"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise InputError("device 'mps' is not here; use 'auto' or 'cpu'")
    return device


def choose_dtype(precision: Precision, *, device: torch.device) -> torch.dtype:
    """Return the dtype to compute in; 'auto' takes bfloat16 on GPUs and on CPUs with AMX or AVX512-BF16."""
    match precision:
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case _:
            return torch.bfloat16 if _is_fast_in_bfloat16(device) else torch.float32


def _is_fast_in_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        # private, so they may go away: then float32
        checks = (getattr(torch.cpu, name, None) for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
        return any(check is not None and check() for check in checks)
    return False


def memory_format(ndim: int) -> torch.memory_format:
    """Return channels-last for `ndim` spatial axes: up to 1.4x faster on CPU, needed for full speed on GPU."""
    return torch.channels_last if ndim == 2 else torch.channels_last_3d


def place(network: Network, *, device: torch.device) -> Network:
    """Move a network to `device`, its weights in the layout that is fast there: that of its convolutions."""
    layout = memory_format(max(value.ndim for value in network.parameters()) - 2)
    placed: Network = network.to(device).to(memory_format=layout)  # type: ignore[call-overload]  # missing in torch's stubs
    return placed


def free_memory(device: torch.device) -> int:
    """Return the bytes that can be taken on `device` now."""
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else available_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Tell memory exhaustion, which smaller tiles cure, from every other failure, which they do not."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or ("can't allocate memory" in text or "not enough memory" in text)
    )
