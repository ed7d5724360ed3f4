"""A file that names the process at work in a folder; of a process that is gone it counts for nothing."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any


def take(path: Path) -> None:
    """Write this process into a lock."""
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")


def holder_of(path: Path) -> str:
    """Return who holds a lock, such as "process 12 on node3"; empty if it is nobody, this process, or one that is gone.

    Of another computer's process it is not known whether it is gone.
    """
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        host, process = str(holder["host"]), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    is_here = host == socket.gethostname()
    if is_here and (process == os.getpid() or not _is_alive(process)):
        return ""
    return f"process {process} on {host}"


def _is_alive(process: int) -> bool:
    if os.name != "posix":
        return _is_alive_on_windows(process)
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _is_alive_on_windows(process: int) -> bool:
    """Ask for a handle: there, a signal 0 would be a Ctrl-C."""
    import ctypes

    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]  # on Windows only
    handle = kernel.OpenProcess(0x1000, False, process)  # the right to ask, no more
    if handle:
        kernel.CloseHandle(handle)
    return bool(handle)
