"""Folders that are made, and go again where they stay empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.images.folders import made
from napari_unetseg.schema.errors import InputError


def folders_in(place: Path) -> list[str]:
    return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_dir())


def test_new_folders_go_if_nothing_came(tmp_path: Path) -> None:
    (tmp_path / "old" / "images").mkdir(parents=True)
    wanted = [tmp_path / place for place in ("a/b/images", "a/b/labels", "old/images", "old/labels")]
    with made(wanted):
        assert all(place.is_dir() for place in wanted)
    assert folders_in(tmp_path) == ["old", "old/images"]
    with made(wanted):
        (tmp_path / "a" / "b" / "labels" / "1.tif").touch()
    assert folders_in(tmp_path) == ["a", "a/b", "a/b/labels", "old", "old/images"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "labels").touch()
    with pytest.raises(InputError, match="cannot be made"), made([tmp_path / "images", tmp_path / "labels" / "x"]):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["labels"]
