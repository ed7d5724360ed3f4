"""Whole files in and out: read once under a size limit, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from napari_unetseg.schema.errors import ModelFileError

MAX_FILE_BYTES = 4 * 2**30


def read(path: Path) -> bytes:
    """Return all bytes of the model file at `path`."""
    with open_regular(path) as (stream, size):
        if size > MAX_FILE_BYTES:
            raise ModelFileError(
                f"{path}: is {size:,} bytes, more than the {MAX_FILE_BYTES:,} a model may have; "
                "check that this is a model file"
            )
        return stream.read(size)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open an ordinary file and give it with its size; a folder, a pipe or a vanished file is a `ModelFileError`."""
    try:
        if path.is_dir():
            raise ModelFileError(f"{path}: is a folder; give the .safetensors file in it")
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would block for ever
            raise ModelFileError(f"{path}: is not an ordinary file; copy the model to a disk first")
        with path.open("rb") as stream:
            yield stream, os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        raise ModelFileError(f"{path}: there is no such file; check the name") from None
    except (OSError, ValueError) as error:
        reason = _reason(error)
        raise ModelFileError(f"{path}: cannot be read ({reason}); check the disk and your permissions") from error


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write `chunks` to `path`: under a temporary name in the same folder, onto the disk, then renamed."""
    part = path.parent / f".unetseg-{os.getpid()}-{secrets.token_hex(4)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as stream:
            for chunk in chunks:
                stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise ModelFileError(
            f"{path}: cannot be written ({_reason(error)}); free some space or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system knows such a thing (not on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass  # some network folders cannot; the file itself is on the disk
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
