"""Label arrays in .npz archives."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from napari_unetseg.images.npz import read_npz
from napari_unetseg.schema.errors import InputError

LABELS = np.arange(12, dtype=np.int64).reshape(3, 4)


def test_the_only_array_or_that_of_a_known_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", anything=LABELS)
    np.savez_compressed(tmp_path / "b.npz", image=LABELS * 0, masks=LABELS)
    for name in ("a.npz", "b.npz"):
        labels = read_npz(tmp_path / name)
        assert labels.dtype == np.uint32
        np.testing.assert_array_equal(labels, LABELS)


def test_what_holds_no_labels_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "two.npz", x=LABELS, y=LABELS)
    np.savez(tmp_path / "objects.npz", labels=np.array([{}], object))
    np.savez(tmp_path / "text.npz", labels=np.array(["a"]))
    (tmp_path / "none.npz").write_bytes(b"PK\x03\x04")
    for name, message in [
        ("two", "holds the arrays x, y; name that of the labels 'labels'"),
        ("objects", "of type 'object'"),
        ("text", "of type '<U1'"),
        ("none", "cannot be read"),
    ]:
        with pytest.raises(InputError, match=message):
            read_npz(tmp_path / f"{name}.npz")


def test_nothing_is_allocated_for_numbers_that_are_not_there(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<u4", "fortran_order": False, "shape": (2**20, 2**20)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("labels.npy", header.getvalue())
    with pytest.raises(InputError, match=r"'labels\.npy' ends before its \(1048576, 1048576\) numbers do"):
        read_npz(tmp_path / "a.npz")
