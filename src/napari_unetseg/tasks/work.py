"""What an unfinished run has done so far: a hidden folder beside the result, one file and one line for each block.

`plan.json` says what the run is. `000012.npz.zst` holds a block; it counts as done once a line of `done.*.jsonl` gives
its hash, so nothing that a crash has cut short, or that was damaged since, is ever taken for a result. Each process
writes lines of its own, so several may work on one result.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from napari_unetseg.images.atomic import link, remove, sync_file, sync_folder, temporary_name
from napari_unetseg.images.budget import readable
from napari_unetseg.schema.errors import InputError, JobError, UnetSegError
from napari_unetseg.tasks import lock
from napari_unetseg.tasks.block_file import pack, unpack
from napari_unetseg.tasks.manifest import differences

PLAN = "plan.json"
WHOLE = "all"
"""The shard of a run that does all blocks that are left, and joins them."""


class Work:
    """The blocks of one result that are done."""

    def __init__(self, folder: Path, *, shard: str) -> None:
        self.folder = folder
        self.blocks: tuple[int, ...] = ()
        """How many blocks a frame is cut into along each axis; of several runs the first decides."""
        self.diameter: float | None = None
        """Of the objects, where the image is scaled by it; here too the first decides."""
        self._lines = folder / f"done.{uuid.uuid4().hex[:8]}.jsonl"
        self._lock = folder / f"lock.{shard}"
        self._plan = ""  # its hash, which stands in every line
        self._hashes: dict[int, set[str]] = {}

    @classmethod
    def begin(
        cls,
        result: Path,
        *,
        settings: Mapping[str, Any],
        blocks: Sequence[int],
        resume: bool,
        shard: str = WHOLE,
        diameter: float | None = None,
    ) -> Work:
        """Open the folder of `result` for a run with these settings; what is done already counts if `resume`.

        Runs of different shards may work on one result at the same time. Raises `InputError` where another run of this
        shard, or of the whole, is writing the result, or where the work was begun with other settings.
        """
        work = cls(folder_of(result), shard=shard)
        with _beginning, _explained(work.folder, kind=InputError):
            if not resume and work.folder.exists():
                work._check_locks(result)
                remove(work.folder)
                if work.folder.exists():
                    raise InputError(f"{work.folder}: cannot be removed; is a file in it open? Close it, or remove it")
            work.folder.mkdir(exist_ok=True)
            work._check_locks(result)
            facts = {"settings": _as_stored(settings), "blocks": list(blocks), "diameter": diameter}
            plan = work._agree(facts)
            work._check_settings(result, plan["settings"], settings=_as_stored(settings))
            if not lock.take(work._lock):
                work._check_locks(result)
                raise InputError(f"{result}: another run has just begun to write it; let it finish")
            _running[_key(work._lock)] = work
        work.blocks, work.diameter = tuple(plan["blocks"]), plan.get("diameter")
        work.reread()
        return work

    @classmethod
    def of(cls, folder: Path) -> Work:
        """Take part in work that another process has begun and answers for."""
        work = cls(folder, shard=WHOLE)
        plan = (folder / PLAN).read_bytes()
        work._plan, work.diameter = _digest(plan), json.loads(plan).get("diameter")
        return work

    def reread(self) -> None:
        """Take notice of what has been done, by other processes too."""
        self._plan = _digest((self.folder / PLAN).read_bytes())
        self._hashes = self._read_lines()

    @property
    def done(self) -> set[int]:
        """Numbers of the blocks that are done, each file of which has been looked at."""
        return {number for number, digests in self._hashes.items() if self._file_digest(number) in digests}

    def keep(self, number: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write a block, and then the line that makes it count."""
        if any(array.dtype.hasobject for array in arrays.values()):
            raise TypeError("a block holds numbers only")
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # type: ignore[arg-type]  # the stubs take a name for an option
        data = pack(buffer.getvalue())
        line = json.dumps({"block": number, "sha256": _digest(data), "plan": self._plan})
        with _explained(self.folder, needed=len(data)):
            _write(self._file(number), data)
            with self._lines.open("ab") as file:
                file.write(f"\n{line}\n".encode())  # on a line of its own, should the one before have been cut short
            sync_file(self._lines)
        self._hashes.setdefault(number, set()).add(_digest(data))

    def load(self, number: int) -> Mapping[str, np.ndarray]:
        """Return the arrays of a block, each read when it is asked for."""
        path = self._file(number)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise JobError(f"{path}: cannot be read ({error}); go on with --resume, which makes it again") from error
        if _digest(data) not in self._hashes.get(number, ()):
            raise JobError(f"{path}: was damaged after it was written; go on with --resume, which makes it again")
        return np.load(io.BytesIO(unpack(data)), allow_pickle=False)  # type: ignore[no-any-return]

    def write_note(self, name: str, value: Any) -> None:
        """Keep a small fact that takes long to find out."""
        with _explained(self.folder):
            _write(self.folder / f"{name}.json", json.dumps({"plan": self._plan, "value": value}).encode())

    def read_note(self, name: str) -> Any:
        """Return a fact that was kept, or none."""
        try:
            note = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            return note["value"] if note["plan"] == self._plan else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @property
    def plan(self) -> str:
        """The hash of the plan, by which those who take part can tell that it is still the same."""
        return self._plan

    def release(self) -> None:
        """Let others go on with the work."""
        with _beginning:
            if _running.get(_key(self._lock), self) is self:
                self._lock.unlink(missing_ok=True)
                _running.pop(_key(self._lock), None)

    def _agree(self, plan: dict[str, Any]) -> dict[str, Any]:
        """Write the plan unless there is one, and return the one that is there."""
        path = self.folder / PLAN
        if path.exists() and self._read_plan() is None:
            path.unlink()  # damaged; lines of blocks that were made by it do not count any more
        if not path.exists():
            draft = temporary_name(path)
            try:
                draft.write_bytes(json.dumps(plan, indent=1).encode())
                sync_file(draft)
                link(draft, path)
            finally:
                draft.unlink(missing_ok=True)
            sync_folder(self.folder)
        return self._read_plan() or plan

    def _read_plan(self) -> dict[str, Any] | None:
        try:
            plan = json.loads((self.folder / PLAN).read_text(encoding="utf-8"))
            return plan if {"settings", "blocks"} <= plan.keys() else None
        except (FileNotFoundError, ValueError, AttributeError):
            return None

    def _check_settings(self, result: Path, before: dict[str, Any], *, settings: dict[str, Any]) -> None:
        if before.get("image") != settings.get("image"):
            raise InputError(
                f"{result}: the image has changed since its unfinished run; pass --overwrite, or remove {self.folder}, "
                "to begin anew"
            )
        if others := differences(before, settings):
            raise InputError(
                f"{result}: its unfinished run had other settings ({'; '.join(others)}); go on with those, pass "
                "--overwrite to begin anew, or choose another folder"
            )

    def _check_locks(self, result: Path) -> None:
        """Refuse a second writer."""
        whole = self.folder / f"lock.{WHOLE}"
        locks = sorted(self.folder.glob("lock.*")) if self._lock == whole else [self._lock, whole]
        if any(_key(path) in _running for path in [whole, *locks]):
            raise InputError(f"{result}: another run of this program is writing it; let it finish, or stop it")
        for path in locks:
            holder = lock.holder_of(path)
            if holder:
                raise InputError(f"{result}: {holder} is writing it; let it finish, or remove {path} if it is gone")

    def _read_lines(self) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for path in sorted(self.folder.glob("done.*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    if entry["plan"] == self._plan:
                        found.setdefault(int(entry["block"]), set()).add(str(entry["sha256"]))
                except (ValueError, KeyError, TypeError):
                    continue  # empty, or the last one before a crash
        return found

    def _file_digest(self, number: int) -> str:
        try:
            return _digest(self._file(number).read_bytes())
        except OSError:
            return ""

    def _file(self, number: int) -> Path:
        return self.folder / f"{number:06d}.npz.zst"


_running: WeakValueDictionary[str, Work] = WeakValueDictionary()
"""The work that this process is at, by its lock; a lock itself only tells processes apart."""
_beginning = threading.Lock()
"""Held while work is begun or released, by one thread at a time."""


def _key(path: Path) -> str:
    """Return one name for a file that may be reached by several."""
    return os.path.normcase(os.path.realpath(path))


def discard(result: Path) -> None:
    """Remove the work on a result that stands; in one step, so that no later run takes a half for unfinished work."""
    folder = folder_of(result)
    if folder.exists():
        gone = temporary_name(result)
        os.replace(folder, gone)
        remove(gone)


def folder_of(result: Path) -> Path:
    """Return the hidden folder of the work on a result."""
    digest = hashlib.sha256(os.fsencode(result.name)).hexdigest()[:12]
    return result.with_name(f".{result.stem[:24]}.{digest}.work")


def is_begun(result: Path, *, settings: Mapping[str, Any]) -> bool:
    """Whether there is an unfinished run of a result with these settings, which can go on."""
    return begun_plan(result, settings=settings) is not None


def begun_plan(result: Path, *, settings: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the plan of an unfinished run of a result with these settings; none without such a run."""
    plan = Work(folder_of(result), shard=WHOLE)._read_plan()
    return plan if plan is not None and not differences(plan["settings"], _as_stored(settings)) else None


@contextmanager
def _explained(folder: Path, *, needed: int = 0, kind: type[UnetSegError] = JobError) -> Iterator[None]:
    """Say of trouble with the disk what to do about it."""
    try:
        yield
    except (OSError, InputError) as error:
        if isinstance(error, kind):
            raise
        size = f"{readable(needed)} " if needed else ""
        reason = error.strerror if isinstance(error, OSError) else ""
        raise kind(
            f"{folder}: {size}cannot be written ({reason or error}); what is finished is kept: "
            "make room, or make the folder writable, and go on with --resume"
        ) from error


def _write(path: Path, data: bytes) -> None:
    """Write a file in one step; other processes may be at the same, each under a name of its own."""
    draft = temporary_name(path)
    try:
        draft.write_bytes(data)
        sync_file(draft)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _as_stored(settings: Mapping[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = json.loads(json.dumps(settings))
    return stored


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
