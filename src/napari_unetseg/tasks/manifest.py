"""What the results in a folder were made from: one line of JSON for each image, added when its files are in place.

So a run that goes on knows its own results from those of another model, other settings or an image that has changed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from napari_unetseg.images.atomic import sync_file
from napari_unetseg.schema.errors import InputError

NAME = ".unetseg_manifest.jsonl"  # hidden: it is for the program, the folder is for its user
FORMER = {"views": 1, "three_axes": False, "z_step": None, "diameter": None}
"""What settings meant before they were there, and noted down."""
ENDS = 2**20  # bytes at the start and at the end of a file that stand for it, with its size


@dataclass
class Manifest:
    """The lines of a folder, the last one for each result; lines that cannot be read (a full disk) count as absent."""

    path: Path
    settings: dict[str, Any]
    _entries: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, *, settings: dict[str, Any]) -> Manifest:
        """Read the manifest of a folder for a run with these settings."""
        manifest = cls(folder / NAME, json.loads(json.dumps(settings)))
        try:
            lines = manifest.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return manifest
        except (OSError, UnicodeDecodeError) as error:
            what = f"{manifest.path}: cannot be read ({error})"
            raise InputError(f"{what}; move it away, or choose another folder") from error
        for line in lines:
            try:
                entry = json.loads(line)
                manifest._entries[str(entry["result"])] = entry
            except (ValueError, KeyError, TypeError):
                continue
        return manifest

    def differences(self, result: Path) -> list[str]:
        """Name the settings that a result was made with otherwise; none for a result that nobody has noted down."""
        entry = self._entries.get(result.name, {})
        return differences(entry.get("settings", self.settings), self.settings)

    def is_of(self, result: Path, source: Path) -> bool:
        """Tell whether a result was made from this image as it is now; true where nobody has noted it down.

        Raises `InputError` where the result is another image's, which has the same name.
        """
        entry = self._entries.get(result.name)
        if entry is None or entry.get("image") == fingerprint(source):
            return True
        if entry.get("path") != str(source.resolve()):
            raise InputError(
                f"{result}: was made from another image, {entry.get('path')}; choose another folder for "
                f"{source}, or pass --overwrite"
            )
        return False

    def add(self, result: Path, source: Path, diameter: float | None = None, *, image: str) -> None:
        """Note a finished result down; `image` is the fingerprint that `source` had when it was read.

        `diameter` is that of the objects where the image was scaled by it.
        """
        entry: dict[str, Any] = {
            "result": result.name,
            "path": str(source.resolve()),
            "image": image,
            "settings": self.settings,
        }
        entry |= {} if diameter is None else {"diameter": diameter}
        self._entries[result.name] = entry
        with self.path.open("a+b") as file:
            if file.tell() and not _ends_a_line(file):
                file.write(b"\n")  # after a line that a full disk has cut short
            file.write(json.dumps(entry, sort_keys=True).encode() + b"\n")
        sync_file(self.path)


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Name the settings that are not the same; those that an earlier version did not note down were off."""
    before, now = {**FORMER, **before}, {**FORMER, **now}
    return [
        f"{name} {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def fingerprint(path: Path) -> str:
    """Return a hash of a file's size, first and last MiB; of a folder (zarr) of all names, sizes and times in it."""
    digest = hashlib.sha256()
    if path.is_dir():
        for parent, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                part = Path(parent) / name
                facts = part.stat()
                digest.update(f"{part.relative_to(path).as_posix()}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
        return digest.hexdigest()
    size = path.stat().st_size
    digest.update(f"{size}:".encode())
    with path.open("rb") as file:
        digest.update(file.read(ENDS))
        file.seek(max(0, size - ENDS))
        digest.update(file.read(ENDS))
    return digest.hexdigest()
