"""A file that names the process at work in a folder; of a process that is gone it counts for nothing."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from napari_unetseg.images.atomic import link, temporary_name


def take(path: Path) -> bool:
    """Write this process into a lock, unless another process holds it or is quicker; tell whether it was done."""
    draft = temporary_name(path)
    draft.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
    try:
        return link(draft, path) or (not holder_of(path) and _move_away(path) and link(draft, path))
    finally:
        draft.unlink(missing_ok=True)


def _move_away(path: Path) -> bool:
    """Remove a lock that nobody holds; if somebody has taken it meanwhile, it is put back."""
    old = temporary_name(path)
    try:
        os.rename(path, old)
    except FileNotFoundError:
        return True
    is_free = not holder_of(old)
    if not is_free:
        link(old, path)
    old.unlink(missing_ok=True)
    return is_free


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
