"""JSON of other programs that is too large, too deep or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.images import json_file
from napari_unetseg.images.json_file import list_in, read_json
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": 1', "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is not JSON"),
        (b"[1, 2]", "holds no JSON object"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(InputError, match=message):
        read_json(tmp_path / "a.json")


def test_too_large_a_file_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert read_json(tmp_path / "a.json") == {}
    monkeypatch.setattr(json_file, "LARGEST", 1)
    with pytest.raises(InputError, match="2 bytes of JSON are more than is read at once"):
        read_json(tmp_path / "a.json")


def test_a_list_of_objects_is_one() -> None:
    assert list_in({"a": [{}]}, "a", path=Path("a.json")) == [{}]
    for wrong in ({}, {"a": 1}, {"a": [1]}):
        with pytest.raises(InputError, match="'a' is no list of objects"):
            list_in(wrong, "a", path=Path("a.json"))
