"""A file of another kind is refused by what it is, and nothing in it is ever run or unpacked."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import tracemalloc
import zipfile

import pytest

from napari_unetseg.models import file
from napari_unetseg.schema.errors import ModelFileError


def pickle_bytes(canary) -> bytes:
    class Attack:
        def __reduce__(self):
            return os.system, (f"touch {canary}",)

    return pickle.dumps(Attack())


def zip_bytes(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tar_bytes() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("tensors"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize("environment", [{}, {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}], ids=["A1", "A2"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a1_a2_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch, environment, wrapped):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    canary = tmp_path / "canary"
    data = pickle_bytes(canary)
    path = tmp_path / "model.pt"
    path.write_bytes(zip_bytes({"model/data.pkl": data}) if wrapped else data)
    with pytest.raises(ModelFileError, match=r"holds code, not weights; export it as \.safetensors"):
        file.load(path)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (zip_bytes({"m/constants.pkl": b"", "m/data.pkl": b""}), "TorchScript archive: holds code"),
        (tar_bytes(), "tar archive.*holds code"),
        (pickle.dumps({"whole": "module"}), "pickle.*holds code, not weights"),
        (zip_bytes({"m/data.pkl": b""}), r"PyTorch checkpoint \(.pt\): holds code"),
        (zip_bytes({"a.npy": b""}), "npz"),
        (zip_bytes({"read.me": b""}), "zip archive: unpack"),
        (zip_bytes({"m/data.pkl": b"x" * 99})[:60], "damaged zip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(30), "PNG file: is an image"),
        (b"\xff\xd8\xff\xe0" + bytes(30), "JPEG"),
        (b"II*\x00\x08\x00\x00\x00" + bytes(30), "TIFF"),
        (b"MM\x00*\x00\x00\x00\x08" + bytes(30), "TIFF"),
        (b"\x89HDF\r\n\x1a\n" + bytes(30), "HDF5"),
        (b"<!DOCTYPE html><html>", "download the model again"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"", "empty file"),
        (bytes(5000), "empty file"),
        (b"just some text, longer than nine bytes", "not in safetensors format"),
    ],
    ids=[
        "A3",
        "A4",
        "A6",
        "A7-pt",
        "npz",
        "zip",
        "A7-cut",
        "A7-png",
        "jpeg",
        "A7-tif",
        "A7-TIF",
        "hdf5",
        "html",
        "lfs",
        "empty",
        "zeros",
        "text",
    ],
)
def test_a3_a4_a6_a7_the_real_type_is_named(tmp_path, data, expected):
    path = tmp_path / "renamed.safetensors"
    path.write_bytes(data)
    for read in (file.load, file.read_card):
        with pytest.raises(ModelFileError, match=expected) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a5_a_bomb_stays_folded(tmp_path):
    """30 MB of zeros deflate to 30 KB; nothing of them may be allocated."""
    path = tmp_path / "bomb.pt"
    path.write_bytes(zip_bytes({"m/data.pkl": bytes(30_000_000)}, zipfile.ZIP_DEFLATED))
    tracemalloc.start()
    with pytest.raises(ModelFileError, match="holds code"):
        file.load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000
