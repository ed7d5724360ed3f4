"""What an unfinished run has done so far: a hidden folder beside the result, one file and one line for each block.

`plan.json` says what the run is. `00012.npz` holds a block; it counts as done once a line of `done.*.jsonl` gives its
hash, so nothing that a crash has cut short, or that was damaged since, is ever taken for a result. Each process writes
lines of its own, so several may work on one result.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images.atomic import remove, sync_file, temporary_name, write_bytes
from napari_unetseg.images.budget import readable
from napari_unetseg.schema.errors import InputError, JobError

PLAN = "plan.json"
WHOLE = "all"
"""The shard of a run that does all blocks that are left, and joins them."""
LEVEL = 1
"""Of zstd: labels shrink about seventyfold, in less time than a disk takes to write them."""


class Work:
    """The blocks of one result that are done."""

    def __init__(self, folder: Path, *, shard: str) -> None:
        self.folder = folder
        self.blocks: tuple[int, ...] = ()
        """How many blocks a frame is cut into along each axis; of several runs the first decides."""
        self._lines = folder / f"done.{uuid.uuid4().hex[:8]}.jsonl"
        self._lock = folder / f"lock.{shard}"
        self._hashes: dict[int, str] = {}

    @classmethod
    def begin(
        cls,
        result: Path,
        *,
        settings: Mapping[str, Any],
        blocks: Sequence[int],
        resume: bool,
        shard: str = WHOLE,
    ) -> Work:
        """Open the folder of `result` for a run with these settings; what is done already counts if `resume`.

        Runs of different shards may work on one result at the same time. Raises `InputError` where another run of this
        shard, or of the whole, is writing the result, or where the work was begun with other settings.
        """
        work = cls(folder_of(result), shard=shard)
        try:
            if not resume and work.folder.exists():
                work._check_locks(result)
                remove(work.folder)
            work.folder.mkdir(exist_ok=True)
            work._check_locks(result)
            plan = work._agree({"settings": json.loads(json.dumps(settings)), "blocks": list(blocks)})
            work._check_settings(result, plan["settings"], settings=json.loads(json.dumps(settings)))
            work._lock.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        except OSError as error:
            raise InputError(f"{work.folder}: cannot be begun ({error.strerror}); choose another folder") from error
        work.blocks = tuple(plan["blocks"])
        work._hashes = work._read_lines()
        return work

    @classmethod
    def of(cls, folder: Path) -> Work:
        """Take part in work that another process has begun and answers for."""
        return cls(folder, shard=WHOLE)

    def reread(self) -> None:
        """Take notice of what other processes have done."""
        self._hashes = self._read_lines()

    @property
    def done(self) -> set[int]:
        """Numbers of the blocks that are done, each file of which has been looked at."""
        return {number for number, digest in self._hashes.items() if self._is_whole(number, digest)}

    def keep(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a block, and then the line that makes it count."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays, allow_pickle=False)
        data = _pack(buffer.getvalue())
        try:
            write_bytes(self._file(number), data)
            digest = hashlib.sha256(data).hexdigest()
            with self._lines.open("ab") as file:
                file.write(json.dumps({"block": number, "sha256": digest}).encode() + b"\n")
            sync_file(self._lines)
        except OSError as error:
            what = f"{self.folder}: {readable(len(data))} cannot be written ({error.strerror or error})"
            raise JobError(f"{what}; what is finished is kept: make room and go on with --resume") from error
        self._hashes[number] = digest

    def load(self, number: int) -> Mapping[str, np.ndarray]:
        """Return the arrays of a block, each read when it is asked for."""
        try:
            return np.load(io.BytesIO(_unpack(self._file(number).read_bytes())), allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError, RuntimeError) as error:
            raise JobError(
                f"{self._file(number)}: cannot be read ({error}); go on with --resume, which makes it again"
            ) from error

    def write_note(self, name: str, value: Any) -> None:
        """Keep a small fact that takes long to find out."""
        write_bytes(self.folder / f"{name}.json", json.dumps(value).encode())

    def read_note(self, name: str) -> Any:
        """Return a fact that was kept, or none."""
        try:
            return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Let others go on with the work."""
        self._lock.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove the folder: the result stands."""
        remove(self.folder)

    def _agree(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Write the plan unless there is one, and return the one that is there."""
        path = self.folder / PLAN
        if self._read_plan() is None:
            path.unlink(missing_ok=True)
            draft = temporary_name(path)
            draft.write_bytes(json.dumps(plan, indent=1).encode())
            try:
                os.link(draft, path)  # unlike a rename, this fails where another run was quicker
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
        return self._read_plan() or plan

    def _read_plan(self) -> dict[str, Any] | None:
        try:
            plan = json.loads((self.folder / PLAN).read_text(encoding="utf-8"))
            return plan if {"settings", "blocks"} <= plan.keys() else None
        except (FileNotFoundError, ValueError, AttributeError):
            return None

    def _check_settings(self, result: Path, before: dict[str, Any], *, settings: dict[str, Any]) -> None:
        differences = [
            f"{name} {before.get(name)!r}, now {settings.get(name)!r}"
            for name in sorted({*before, *settings})
            if before.get(name) != settings.get(name)
        ]
        if differences:
            raise InputError(
                f"{result}: its unfinished run had other settings ({'; '.join(differences)}); go on with those, pass "
                "--overwrite to begin anew, or choose another folder"
            )

    def _check_locks(self, result: Path) -> None:
        """Refuse a second writer; a lock of a process that is gone counts for nothing."""
        whole = self.folder / f"lock.{WHOLE}"
        locks = sorted(self.folder.glob("lock.*")) if self._lock == whole else [self._lock, whole]
        for lock in locks:
            try:
                holder = json.loads(lock.read_text(encoding="utf-8"))
                host, process = str(holder["host"]), int(holder["pid"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
            if host != socket.gethostname() or (process != os.getpid() and _is_alive(process)):
                who = f"process {process} on {host}"
                raise InputError(f"{result}: {who} is writing it; let it finish, or remove {lock} if it is gone")

    def _read_lines(self) -> dict[int, str]:
        found: dict[int, str] = {}
        for path in sorted(self.folder.glob("done.*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    found[int(entry["block"])] = str(entry["sha256"])
                except (ValueError, KeyError, TypeError):
                    continue  # the last line before a crash
        return found

    def _is_whole(self, number: int, digest: str) -> bool:
        try:
            return hashlib.sha256(self._file(number).read_bytes()).hexdigest() == digest
        except OSError:
            return False

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz.zst"


def folder_of(result: Path) -> Path:
    """Return the hidden folder of the work on a result."""
    digest = hashlib.sha256(os.fsencode(result.name)).hexdigest()[:12]
    return result.with_name(f".{result.stem[:24]}.{digest}.work")


def _pack(data: bytes) -> bytes:
    from imagecodecs import zstd_encode  # here: not needed by those who only predict

    return bytes(zstd_encode(data, level=LEVEL))


def _unpack(data: bytes) -> bytes:
    from imagecodecs import zstd_decode

    return bytes(zstd_decode(data))


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
