"""Files are written whole or not at all, and whatever cannot be read is named."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from napari_unetseg.models import disk
from napari_unetseg.schema.errors import ModelFileError


@pytest.fixture
def path(tmp_path):
    """A file with 'before' in it, alone in its folder."""
    path = tmp_path / "folder" / "model"
    disk.write(path, [b"be", b"fore"])
    return path


def raise_os_error(number: int):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


def test_what_is_written_is_read(path):
    assert disk.read(path) == b"before"
    disk.write(path, [])
    assert disk.read(path) == b""


def test_replacing_leaves_nothing_else_behind(path):
    disk.write(path, [b"after"])
    assert disk.read(path) == b"after"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_the_previous_file_and_no_part(path, monkeypatch, step):
    monkeypatch.setattr(disk.os, step, raise_os_error(errno.ENOSPC))
    with pytest.raises(ModelFileError, match=r"model: cannot be written \(No space left"):
        disk.write(path, [b"after"])
    assert disk.read(path) == b"before"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_while_the_bytes_are_made_leaves_no_part(path):
    def chunks():
        yield b"af"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        disk.write(path, chunks())
    assert disk.read(path) == b"before"
    assert list(path.parent.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_they_get_their_name(path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(disk.os, "fsync", lambda descriptor: (calls.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(disk.os, "replace", lambda part, name: (calls.append("replace"), replace(part, name)))
    disk.write(path, [b"after"])
    assert calls[:2] == ["fsync", "replace"]


@pytest.mark.skipif(os.name != "posix", reason="the mode of a file is a matter of POSIX systems")
def test_others_may_read_what_is_written(path):
    mask = os.umask(0o022)
    try:
        disk.write(path, [b"after"])
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_file_in_the_place_of_the_folder_is_named(path):
    with pytest.raises(ModelFileError, match="inside: cannot be written"):
        disk.write(path / "inside", [b""])


def test_a24_folders_missing_files_and_odd_names_are_named(path):
    for wrong, expected in ((path.parent, "is a folder"), (path.with_name("gone"), "no such file")):
        with pytest.raises(ModelFileError, match=expected):
            disk.read(wrong)
    with pytest.raises(ModelFileError, match="cannot be read"):
        disk.read(Path("nul\x00byte"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a24_a_pipe_is_refused_instead_of_waited_for(path):
    os.mkfifo(path.with_name("pipe"))
    with pytest.raises(ModelFileError, match="not an ordinary file"):
        disk.read(path.with_name("pipe"))


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
def test_a24_a_disk_that_fails_is_named(path, monkeypatch, number):
    monkeypatch.setattr(Path, "open", raise_os_error(number))
    with pytest.raises(ModelFileError, match=f"cannot be read .{os.strerror(number)}"):
        disk.read(path)


def test_a_file_over_the_limit_is_not_read(path, monkeypatch):
    monkeypatch.setattr(disk, "MAX_FILE_BYTES", 5)
    with pytest.raises(ModelFileError, match="is 6 bytes, more than the 5"):
        disk.read(path)
