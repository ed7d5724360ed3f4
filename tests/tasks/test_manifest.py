"""A folder's manifest tells its own results from those made otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks import manifest as manifests
from napari_unetseg.tasks.manifest import NAME, Manifest, fingerprint

SETTINGS = {"model": "m", "threshold": 0.5, "channels": (0, 1)}


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "é.tif"
    path.parent.mkdir()
    path.write_bytes(bytes(range(256)) * 20)
    return path


def test_a_result_is_known_with_its_settings_and_image(tmp_path: Path, image: Path) -> None:
    result = tmp_path / "é_labels.tif"
    Manifest.of(tmp_path, settings=SETTINGS).add(result, image, image=fingerprint(image))
    again = Manifest.of(tmp_path, settings=SETTINGS)
    assert again.differences(result) == []
    assert again.is_of(result, image)
    other = Manifest.of(tmp_path, settings=SETTINGS | {"threshold": 0.6, "new": 1})
    assert other.differences(result) == ["new None, now 1", "threshold 0.5, now 0.6"]
    image.write_bytes(b"x")
    assert not again.is_of(result, image)
    same_name = tmp_path / "é.tif"
    same_name.write_bytes(b"y")
    with pytest.raises(InputError, match=r"another image, .*in.*é\.tif"):
        again.is_of(result, same_name)


def test_settings_that_were_not_there_yet_count_as_off(tmp_path: Path, image: Path) -> None:
    """A folder of an earlier version can go on, unless something is on that it did not know."""
    result = tmp_path / "a_labels.tif"
    Manifest.of(tmp_path, settings=SETTINGS).add(result, image, image=fingerprint(image))
    now = SETTINGS | {"views": 1, "three_axes": False, "z_step": None, "diameter": None}
    assert Manifest.of(tmp_path, settings=now).differences(result) == []
    assert Manifest.of(tmp_path, settings=now | {"diameter": "auto"}).differences(result) == [
        "diameter None, now 'auto'"
    ]
    assert Manifest.of(tmp_path, settings=now | {"views": 8}).differences(result) == ["views 1, now 8"]


def test_what_nobody_noted_down_is_taken_as_it_is(tmp_path: Path, image: Path) -> None:
    empty = Manifest.of(tmp_path, settings=SETTINGS)
    assert empty.differences(tmp_path / "a_labels.tif") == []
    assert empty.is_of(tmp_path / "a_labels.tif", image)


def test_a_cut_or_foreign_line_counts_as_absent_and_the_last_line_wins(tmp_path: Path, image: Path) -> None:
    result = tmp_path / "a.tif"
    for threshold in (0.1, 0.5):
        made = Manifest.of(tmp_path, settings=SETTINGS | {"threshold": threshold})
        made.add(result, image, image=fingerprint(image))
    with (tmp_path / NAME).open("a") as file:
        file.write('[1]\n"a"\n{}\n' + json.dumps({"result": "a.tif", "settings": {}})[:-9])
    again = Manifest.of(tmp_path, settings=SETTINGS)
    assert again.differences(result) == []
    again.add(tmp_path / "b.tif", image, image="other")
    assert Manifest.of(tmp_path, settings=SETTINGS | {"threshold": 0.7}).differences(tmp_path / "b.tif")


def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="move it away"):
        Manifest.of(tmp_path, settings=SETTINGS)


def test_fingerprints_follow_content_and_names(tmp_path: Path, image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(image)
    image.write_bytes(image.read_bytes()[:-1] + b"y")
    assert fingerprint(image) != before
    monkeypatch.setattr(manifests, "ENDS", 50)
    large = fingerprint(image)
    image.write_bytes(image.read_bytes() + b"z")
    assert fingerprint(image) != large
    folder = tmp_path / "a.zarr"
    (folder / "c").mkdir(parents=True)
    (folder / "c" / "0").write_bytes(b"abc")
    store = fingerprint(folder)
    assert fingerprint(folder) == store
    (folder / "c" / "0").write_bytes(b"abcd")
    assert fingerprint(folder) != store
