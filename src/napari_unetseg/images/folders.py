"""Folders for files that are yet to be written, of which none is left where nothing came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_unetseg.schema.errors import InputError


@contextmanager
def made(folders: Sequence[Path]) -> Iterator[None]:
    """Make folders, and those above them; in the end remove again what was made and is empty."""
    places = dict.fromkeys(place for folder in folders for place in (*reversed(folder.parents), folder))
    new = [place for place in places if not place.exists()]
    try:
        for folder in folders:
            _make(folder)
        yield
    finally:
        for place in reversed(new):
            with suppress(OSError):  # which is what a folder with files in it says
                place.rmdir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
