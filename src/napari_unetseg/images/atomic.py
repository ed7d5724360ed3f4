"""Write files atomically: the final name appears only when everything is on disk (failures R5)."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from napari_unetseg.schema.errors import InputError, JobError


def write_bytes(path: str | Path, data: bytes) -> Path:
    """Write `data` under a temporary name in the same folder, sync it, then rename."""
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_text(path: str | Path, data: str) -> Path:
    """Write text as UTF-8, atomically."""
    return write_bytes(path, data.encode("utf-8"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; it becomes `path` if the block ends well, and is removed if not."""
    check_folder(path)
    remove_leftovers(path)
    temporary = temporary_name(path)
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
        sync_folder(path.parent)
    finally:
        remove(temporary)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say of trouble with the disk, where `path` is written, what to do about it."""
    try:
        yield
    except OSError as error:
        raise JobError(
            f"{path}: could not be written ({error.strerror or error}); make room on the disk, and start again"
        ) from error


def check_destination(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work, a destination that exists or whose folder cannot be written to."""
    check_folder(path)
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise InputError(f"{path}: exists already; choose another name, or pass overwrite (--overwrite)")
        if path.is_dir() and not _is_replaceable_store(path):
            raise InputError(f"{path}: is a folder that is no zarr store, it is not replaced; choose another name")


def check_folder(path: Path) -> None:
    """Refuse a folder that is absent or read-only."""
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: its folder does not exist; make {folder} first")
    try:
        probe = temporary_name(path)
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(f"{path}: its folder cannot be written to ({error.strerror}); choose another one") from error


def temporary_name(path: Path) -> Path:
    """Return a new hidden name beside `path`, short enough for any file system."""
    return path.with_name(f"{_prefix(path)}{uuid.uuid4().hex[:8]}.part")


def remove_leftovers(path: Path) -> None:
    """Remove temporaries that an interrupted run left for this very destination; those of others stay."""
    for leftover in path.parent.iterdir():
        if leftover.name.startswith(_prefix(path)) and leftover.name.endswith(".part"):
            remove(leftover)


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def move_into_place(temporary: Path, path: Path) -> None:
    """Rename a finished file or store to its final name, replacing what is there."""
    if not temporary.is_dir() and not path.is_dir():
        os.replace(temporary, path)
    else:
        old = temporary_name(path)
        if path.exists():
            os.replace(path, old)  # a folder cannot be replaced in one step
        try:
            os.replace(temporary, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
        remove(old)
    sync_folder(path.parent)


def link(draft: Path, path: Path) -> bool:
    """Give a draft its name unless that is taken, by another process in the same instant too; tell whether it was."""
    try:
        os.link(draft, path)  # unlike a rename, this fails where the name is taken
    except FileExistsError:
        return False
    except OSError:  # a file system without links
        if path.exists():
            return False
        os.replace(draft, path)
    return True


def sync_tree(folder: Path) -> None:
    """Flush every file below a folder to disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(parent) / name)
        sync_folder(Path(parent))


def sync_file(path: Path) -> None:
    """Flush one file to disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to disk, where the system can (Windows cannot)."""
    if os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prefix(path: Path) -> str:
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]
    return f".{path.stem[:24]}.{digest}."


def _is_replaceable_store(path: Path) -> bool:
    return not path.is_symlink() and any((path / marker).is_file() for marker in ("zarr.json", ".zgroup", ".zarray"))
