"""Labels and images on disk: streamed, atomic, exact, with axes and scale."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
import zarr

from napari_unetseg.images import atomic, ngff, ome_tiff
from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.images.write import LabelWriter, write_bytes, write_image, write_text
from napari_unetseg.schema.errors import InputError, JobError

Format = Literal["tiff", "zarr"]
RNG = np.random.default_rng(0)
SCALE = {"Z": 2.0, "Y": 0.5, "X": 0.25}
IDS = RNG.integers(0, 2**32, (2, 3, 20, 30), dtype=np.uint32)


def target(folder: Path, format: Format) -> Path:  # noqa: A002
    return folder / ("a_labels.tif" if format == "tiff" else "a_labels.zarr")


def begin(path: Path, format: Format, *, shape: tuple[int, ...] = (3, 20, 30), **changes: Any) -> LabelWriter:  # noqa: A002
    axes = "TZYX"[-len(shape) :]
    return LabelWriter(
        path, **{"shape": shape, "axes": axes, "scale": SCALE, "format": format, "overwrite": False, **changes}
    )


both = pytest.mark.parametrize("format", ["tiff", "zarr"])


@both
@pytest.mark.parametrize("axes", ["YX", "ZYX", "TYX", "TZYX"])
def test_ids_axes_and_scale_survive(format: Format, axes: str, tmp_path: Path) -> None:  # noqa: A002
    ids = {"YX": IDS[0, 0], "ZYX": IDS[0], "TYX": IDS[0], "TZYX": IDS}[axes]
    path = target(tmp_path, format)
    with LabelWriter(path, shape=ids.shape, axes=axes, scale=SCALE, format=format, overwrite=False) as writer:
        for position in np.ndindex(ids.shape[:-2]):
            writer.write(position, ids[position])
        assert not path.exists()
    source = open_image(path)
    assert (source.axes.letters, source.axes.is_guess) == (axes, False)
    assert source.scale == {axis: size for axis, size in SCALE.items() if axis in axes}
    assert source.notes == ()
    np.testing.assert_array_equal(read_labels(path), ids)
    assert os.listdir(tmp_path) == [path.name]


@both
def test_whole_volumes_bands_and_unwritten_planes(format: Format, tmp_path: Path) -> None:  # noqa: A002
    path = target(tmp_path, format)
    with begin(path, format, shape=IDS.shape) as writer:
        writer.write((1,), IDS[1])
        writer.write((0, 2, slice(5, 9)), IDS[0, 2, 5:9])
    expected = np.zeros_like(IDS)
    expected[1], expected[0, 2, 5:9] = IDS[1], IDS[0, 2, 5:9]
    np.testing.assert_array_equal(read_labels(path), expected)


def test_tiff_is_one_ome_series_in_strips(tmp_path: Path) -> None:
    path = target(tmp_path, "tiff")
    with begin(path, "tiff", shape=IDS.shape) as writer:
        writer.write((), IDS)
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert not file.is_bigtiff
        assert [(one.axes, one.shape, one.dtype) for one in file.series] == [("TZYX", IDS.shape, np.uint32)]
        assert file.pages.first.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
        assert not file.pages.first.is_tiled
        assert 'PhysicalSizeZ="2.0"' in file.ome_metadata
        np.testing.assert_array_equal(file.asarray(), IDS)


def test_files_above_4_gb_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ome_tiff, "_BIG", 100)
    with begin(target(tmp_path, "tiff"), "tiff") as writer:
        writer.write((), IDS[0])
    with tifffile.TiffFile(target(tmp_path, "tiff")) as file:
        assert file.is_bigtiff


def test_zarr_has_levels_down_to_the_coarsest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ngff, "_COARSEST", 8)
    monkeypatch.setattr(ngff, "_CHUNK", 8)
    path = target(tmp_path, "zarr")
    with begin(path, "zarr") as writer:
        writer.write((), IDS[0])
    group = zarr.open_group(str(path), mode="r")
    levels = [np.asarray(group[str(level)]) for level in range(3)]
    assert sorted(name for name, _ in group.arrays()) == ["0", "1", "2"]
    assert [level.shape for level in levels] == [(3, 20, 30), (3, 10, 15), (3, 5, 8)]
    for finer, coarser in itertools.pairwise(levels):
        np.testing.assert_array_equal(coarser, finer[:, ::2, ::2])
    ome: Any = group.attrs["ome"]
    assert ome["version"] == "0.5"
    assert [one["name"] for one in ome["multiscales"][0]["axes"]] == ["z", "y", "x"]
    scales = [one["coordinateTransformations"][0]["scale"] for one in ome["multiscales"][0]["datasets"]]
    assert scales == [[2.0, 0.5, 0.25], [2.0, 1.0, 0.5], [2.0, 2.0, 1.0]]
    assert sum(1 for _ in (path / "0" / "c").rglob("*") if _.is_file()) == 3 * 3 * 4


@both
def test_same_labels_give_the_same_bytes(format: Format, tmp_path: Path) -> None:  # noqa: A002
    trees = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with begin(target(tmp_path / name, format), format) as writer:
            writer.write((), IDS[0])
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        trees.append([(str(path.relative_to(tmp_path / name)), path.read_bytes()) for path in files])
    assert trees[0] == trees[1]


@both
def test_exception_leaves_nothing(format: Format, tmp_path: Path) -> None:  # noqa: A002
    with pytest.raises(InputError, match="do not fit"), begin(target(tmp_path, format), format) as writer:
        writer.write((0,), IDS[0])
    assert os.listdir(tmp_path) == []


@both
def test_failure_at_the_end_keeps_the_old_file(
    format: Format,  # noqa: A002
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = target(tmp_path, format)
    with begin(path, format) as writer:
        writer.write((), IDS[0])

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_unetseg.images.write.sync_file", fail)
    monkeypatch.setattr("napari_unetseg.images.write.sync_tree", fail)
    with pytest.raises(JobError, match="No space left"), begin(path, format, overwrite=True) as writer:
        writer.write((), IDS[1])
    np.testing.assert_array_equal(read_labels(path), IDS[0])
    assert os.listdir(tmp_path) == [path.name]


@both
def test_overwrite_replaces_and_its_absence_refuses(format: Format, tmp_path: Path) -> None:  # noqa: A002
    path = target(tmp_path, format)
    for ids in (IDS[0], IDS[1]):
        with begin(path, format, overwrite=True) as writer:
            writer.write((), ids)
        np.testing.assert_array_equal(read_labels(path), ids)
    with pytest.raises(InputError, match="exists already"):
        begin(path, format)
    assert os.listdir(tmp_path) == [path.name]


@both
def test_leftovers_of_this_output_are_removed_and_no_others(format: Format, tmp_path: Path) -> None:  # noqa: A002
    path = target(tmp_path, format)
    begin(path, format).write((0,), IDS[0, 0])  # killed: neither closed nor aborted
    begin(tmp_path / "other.tif", "tiff")
    assert len(os.listdir(tmp_path)) == 2
    with begin(path, format) as writer:
        writer.write((), IDS[0])
    left = [name for name in os.listdir(tmp_path) if name != path.name]
    assert len(left) == 1
    assert left[0].startswith(".other")


@both
def test_of_two_writers_only_the_last_publishes(format: Format, tmp_path: Path) -> None:  # noqa: A002
    path = target(tmp_path, format)
    first = begin(path, format)
    second = begin(path, format)
    first.write((), IDS[0])
    second.write((), IDS[1])
    with pytest.raises(JobError, match="another run"):
        first.close()
    assert not path.exists()
    second.close()
    np.testing.assert_array_equal(read_labels(path), IDS[1])


@pytest.mark.parametrize("case", ["absent", "read-only", "a-file"])
def test_c5_unusable_folders_are_refused_before_any_work(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    if case == "a-file":
        folder.write_text("x")
    if case == "read-only":
        folder.mkdir()
        monkeypatch.setattr(
            Path, "touch", lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
        )
    with pytest.raises(InputError, match="folder"):
        begin(folder / "a_labels.tif", "tiff")
    with pytest.raises(InputError, match="folder"):
        write_text(folder / "a.txt", "x")


def test_a_folder_that_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a_labels.zarr").mkdir()
    (tmp_path / "a_labels.zarr" / "thesis.doc").write_text("x")
    with pytest.raises(InputError, match="no zarr store"):
        begin(tmp_path / "a_labels.zarr", "zarr", overwrite=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "hdf5"}, "hdf5"),
        ({"axes": "CYX"}, "CYX"),
        ({"axes": "YXZ"}, "YXZ"),
        ({"axes": "YX"}, "shape"),
        ({"shape": (0, 20, 30)}, "none empty"),
    ],
)
def test_bad_requests_are_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    arguments = {"shape": (3, 20, 30), "axes": "ZYX", "scale": {}, "format": "tiff", "overwrite": False, **changes}
    with pytest.raises(InputError, match=message):
        LabelWriter(tmp_path / "a_labels.tif", **arguments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("index", "labels", "message"),
    [
        ((3,), np.zeros((20, 30), np.uint32), "outside"),
        ((-1,), np.zeros((20, 30), np.uint32), "outside"),
        ((0,), np.zeros((30, 20), np.uint32), "do not fit"),
        ((0,), np.zeros((20, 30)), "integers"),
        ((0,), np.full((20, 30), -1), "-1"),
        ((0,), np.full((20, 30), 2**32), "4294967296"),
        ((0, 0, 0, 0), np.zeros((20, 30), np.uint32), "more entries"),
    ],
)
def test_bad_planes_are_refused(index: tuple[int, ...], labels: np.ndarray, message: str, tmp_path: Path) -> None:
    writer = begin(target(tmp_path, "tiff"), "tiff")
    with pytest.raises(InputError, match=message):
        writer.write(index, labels)
    writer.abort()
    assert os.listdir(tmp_path) == []


def test_ids_of_other_integer_types_are_kept(tmp_path: Path) -> None:
    large = [[0, 65_536, 2**24 + 1, 2**32 - 1]]
    with begin(target(tmp_path, "tiff"), "tiff", shape=(5, 1, 4)) as writer:
        for index, dtype in enumerate((np.int64, np.uint8, np.uint64, np.bool_)):
            writer.write((index,), np.array([[0, 1, 1, 0]], dtype=dtype))
        writer.write((4,), np.array(large))
    np.testing.assert_array_equal(read_labels(target(tmp_path, "tiff")), [*[[[0, 1, 1, 0]]] * 4, large])


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("YX", (9, 8)), ("YXS", (9, 8, 3)), ("CYX", (2, 9, 8)), ("ZCYX", (4, 2, 9, 8)), ("TZYXS", (2, 3, 9, 8, 3))],
)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8", "i2", "?", ">u2", ">i8"])
def test_images_survive(axes: str, shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    array = RNG.integers(0, 2 if dtype == "?" else 100, shape).astype(dtype)
    write_image(tmp_path / "a.tif", array, axes=axes, scale={"Y": 0.2, "X": 0.1})
    source = open_image(tmp_path / "a.tif")
    assert sorted(source.axes.letters) == sorted(axes)
    assert source.scale == {"Y": 0.2, "X": 0.1}
    stored = np.stack([source.read(t=t) for t in range(source.sizes["T"])])
    order = [axes.index(letter) for letter in "TCSZYX" if letter in axes]
    np.testing.assert_array_equal(stored.ravel(), array.transpose(order).ravel())


@pytest.mark.parametrize(
    ("array", "axes", "message"),
    [
        (np.zeros((3, 3)), "ZYX", "axes"),
        (np.zeros((3, 3), complex), "YX", "complex"),
        (np.full((3, 3), 2**40), "YX", "64-bit"),
    ],
)
def test_images_that_cannot_be_stored_are_refused(array: np.ndarray, axes: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write_image(tmp_path / "a.tif", array, axes=axes)
    assert os.listdir(tmp_path) == []


def test_small_files_are_written_in_this_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(atomic.os, name, lambda *args, o=original, n=name: (calls.append(n), o(*args))[1])
    write_bytes(tmp_path / "a.bin", b"\0\1")
    write_text(tmp_path / "a.txt", "µm")
    assert (tmp_path / "a.bin").read_bytes() == b"\0\1"
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "µm"
    assert calls[:2] == ["fsync", "replace"]
    assert sorted(os.listdir(tmp_path)) == ["a.bin", "a.txt"]


def test_failed_small_file_keeps_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "a.txt", "old")

    def fail(_: int) -> None:
        raise OSError(5, "I/O error")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OSError, match="I/O"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_planes_too_large_to_hold_are_exported_tile_by_tile(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 9, (2, 70, 90)).astype(np.uint32)
    monkeypatch.setattr("napari_unetseg.images.write._LARGEST_PLANE", 1000)
    monkeypatch.setattr("napari_unetseg.images.write._TILE", 32)
    with LabelWriter(tmp_path / "a.tif", shape=labels.shape, axes="ZYX", scale={"Y": 0.5, "X": 0.5}) as writer:
        writer.write((0, slice(0, 40), slice(None)), labels[0, :40])
        writer.write((0, slice(40, 70), slice(None)), labels[0, 40:])
        writer.write((1,), labels[1])
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages.first.is_tiled
        np.testing.assert_array_equal(file.asarray(), labels)
    source = open_image(tmp_path / "a.tif")
    assert (source.axes.letters, source.scale) == ("ZYX", {"Y": 0.5, "X": 0.5})
