"""TIFF files as lazy sources: regions, memory, metadata, guesses."""

from __future__ import annotations

import itertools
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_unetseg.images.read import ImageSource, open_image
from napari_unetseg.images.tiff_chain import walk_chain
from napari_unetseg.images.tiff_pixels import MappedReader, SegmentReader
from napari_unetseg.schema.errors import InputError

RNG = np.random.default_rng(0)
LAYOUTS: dict[str, dict[str, Any]] = {
    "bare": {},
    "zlib": {"compression": "zlib"},
    "zlib-strips": {"compression": "zlib", "rowsperstrip": 7},
    "lzw-predictor": {"compression": "lzw", "predictor": True, "rowsperstrip": 5},
    "tiles": {"tile": (16, 32)},
    "zstd-tiles": {"tile": (16, 32), "compression": "zstd"},
    "big-endian-tiles": {"tile": (32, 16), "compression": "zlib", "byteorder": ">"},
    "bigtiff": {"bigtiff": True, "compression": "zlib"},
}
WINDOWS = [
    (slice(0, 45), slice(0, 70)),
    (slice(3, 40), slice(17, 70)),
    (slice(44, 45), slice(0, 1)),
    (slice(16, 32), slice(32, 64)),
]


def save(path: Path, array: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, array, **options)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
def test_regions_equal_the_array(layout: str, tmp_path: Path) -> None:
    stack = RNG.integers(0, 60_000, (3, 2, 45, 70)).astype(np.uint16)
    path = save(tmp_path / "a.tif", stack, ome=True, metadata={"axes": "ZCYX"}, **LAYOUTS[layout])
    source = open_image(path)
    assert source.axes.letters == "ZCYX"
    assert not source.axes.is_guess
    assert isinstance(source.reader, MappedReader if layout == "bare" else SegmentReader)
    for (rows, columns), z in itertools.product(WINDOWS, (0, 2)):
        region = source.read(z=z, yx=(rows, columns))
        assert region.flags.c_contiguous
        np.testing.assert_array_equal(region, stack[z, :, rows, columns])
        np.testing.assert_array_equal(source.read(z=z, channels=[1], yx=(rows, columns))[0], stack[z, 1, rows, columns])
    np.testing.assert_array_equal(source.read(z=slice(1, 3), channels=[1, 0]), stack[1:3, ::-1].swapaxes(0, 1))


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"planarconfig": "separate"}])
def test_colours_become_channels(options: dict[str, Any], tmp_path: Path) -> None:
    colours = RNG.integers(0, 255, (20, 30, 3)).astype(np.uint8)
    is_separate = "planarconfig" in options
    written = colours.transpose(2, 0, 1) if is_separate else colours
    source = open_image(save(tmp_path / "a.tif", written, photometric="rgb", **options))
    assert source.axes.letters == ("SYX" if is_separate else "YXS")
    assert source.axes.is_guess == is_separate
    np.testing.assert_array_equal(source.read()[:, 0], colours.transpose(2, 0, 1))
    window = source.read(channels=[2, 0], yx=(slice(3, 19), slice(5, 6)))[:, 0]
    np.testing.assert_array_equal(window, colours[3:19, 5:6].transpose(2, 0, 1)[[2, 0]])


def test_colour_jpeg_in_tiff_is_read(tmp_path: Path) -> None:
    smooth = np.broadcast_to(np.arange(64, dtype=np.uint8)[:, None, None] * 3, (64, 64, 3))
    path = save(tmp_path / "a.tif", smooth, photometric="rgb", compression="jpeg", tile=(32, 32))
    assert np.abs(open_image(path).read()[:, 0].astype(int) - smooth.transpose(2, 0, 1)).max() < 8


def test_bilevel_and_twelve_bit_data(tmp_path: Path) -> None:
    mask = RNG.random((20, 33)) > 0.5
    path = save(tmp_path / "a.tif", mask, photometric="minisblack")
    np.testing.assert_array_equal(open_image(path).read()[0, 0], mask)
    counts = RNG.integers(0, 4095, (20, 32)).astype(np.uint16)
    path = save(tmp_path / "b.tif", counts, bitspersample=12)
    np.testing.assert_array_equal(open_image(path).read()[0, 0], counts)


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {}, {"compression": "zlib", "rowsperstrip": 64}])
def test_earlier_planes_are_not_kept(options: dict[str, Any], tmp_path: Path) -> None:
    stack = RNG.integers(0, 9, (20, 256, 256)).astype(np.uint16)
    source = open_image(save(tmp_path / "a.tif", stack, **options))
    source.read(z=0)
    tracemalloc.start()
    for z in range(20):
        for rows in (slice(0, 130), slice(126, 256)):
            source.read(z=z, yx=(rows, slice(0, 256)))
        source.read(z=z)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    plane = stack[0].nbytes
    assert kept < 2 * plane
    assert peak < 5 * plane


def test_neighbouring_tiles_decode_a_strip_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_image(save(tmp_path / "a.tif", RNG.integers(0, 9, (5, 64, 64)).astype(np.uint16), compression="zlib"))
    calls: list[tuple[int, int]] = []
    original = SegmentReader._decode
    monkeypatch.setattr(SegmentReader, "_decode", lambda self, *key: calls.append(key) or original(self, *key))
    for column in range(0, 64, 16):
        source.read(z=1, yx=(slice(0, 16), slice(column, column + 16)))
    assert calls == [(1, 0)]


def test_threads_read_the_same(tmp_path: Path) -> None:
    stack = RNG.integers(0, 9999, (8, 64, 64)).astype(np.uint16)
    source = open_image(save(tmp_path / "a.tif", stack, compression="zlib", rowsperstrip=9))
    wrong: list[int] = []

    def check(offset: int) -> None:
        for step in range(24):
            z = (step + offset) % 8
            if not np.array_equal(source.read(z=z, yx=(slice(offset, 60), slice(0, 64)))[0], stack[z, offset:60]):
                wrong.append(z)

    threads = [threading.Thread(target=check, args=(offset,)) for offset in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("micron", 1.0), ("um", 1.0), ("\\u00B5m", 1.0), ("nm", 1e-3), ("mm", 1e3), ("pixel", None), ("furlong", None)],
)
def test_imagej_hyperstack(unit: str, factor: float | None, tmp_path: Path) -> None:
    stack = RNG.integers(0, 99, (2, 3, 4, 16, 20)).astype(np.uint16)
    metadata = {"axes": "TZCYX", "spacing": 2.5, "unit": unit}
    source = open_image(save(tmp_path / "a.tif", stack, imagej=True, resolution=(4.0, 2.0), metadata=metadata))
    assert source.axes.letters == "TZCYX"
    expected = {} if factor is None else {"Z": 2.5 * factor, "Y": 0.5 * factor, "X": 0.25 * factor}
    assert source.scale == pytest.approx(expected)
    assert any(unit in note for note in source.notes) == (unit == "furlong")
    np.testing.assert_array_equal(source.read(t=1), stack[1].swapaxes(0, 1))


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1e-3), ("µm", 1.0), ("mm", 1e3), ("reference frame", None)])
def test_ome_physical_size(unit: str, factor: float | None, tmp_path: Path) -> None:
    metadata = {"axes": "ZYX"}
    for axis, size in (("X", 0.25), ("Y", 0.5), ("Z", 2.0)):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}  # type: ignore[dict-item]
    source = open_image(save(tmp_path / "a.ome.tif", np.zeros((3, 8, 8), np.uint8), ome=True, metadata=metadata))
    expected = {} if factor is None else {"Z": 2 * factor, "Y": 0.5 * factor, "X": 0.25 * factor}
    assert source.scale == pytest.approx(expected)
    assert bool(source.notes) == (factor is None)


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [
        ((20_000.0, 40_000.0), "CENTIMETER", {"X": 0.5, "Y": 0.25}),
        ((50_800.0, 50_800.0), "INCH", {"X": 0.5, "Y": 0.5}),
        ((20_000.0, 40_000.0), "NONE", {}),
        ((72.0, 72.0), "INCH", {}),
        ((300.0, 300.0), "INCH", {}),
        ((28.35, 28.35), "CENTIMETER", {}),
    ],
)
def test_resolution_tags(
    resolution: tuple[float, float], unit: str, expected: dict[str, float], tmp_path: Path
) -> None:
    path = save(tmp_path / "a.tif", np.zeros((8, 8), np.uint8), resolution=resolution, resolutionunit=unit)
    assert open_image(path).scale == pytest.approx(expected, rel=1e-3)


def open_pages(path: Path, *shapes: tuple[int, ...]) -> ImageSource:
    with tifffile.TiffWriter(path) as writer:
        for shape in shapes:
            writer.write(np.ones(shape, np.uint8), contiguous=False, metadata=None, photometric="minisblack")
    return open_image(path)


def test_plain_pages_are_a_guessed_stack(tmp_path: Path) -> None:
    source = open_pages(tmp_path / "a.tif", (16, 20), (16, 20), (16, 20))
    assert source.axes.letters == "ZYX"
    assert source.axes.is_guess
    assert "3 planes of 16x20 without metadata: taken for ZYX; pass --axes to change" in source.notes[0]
    assert open_image(tmp_path / "a.tif", axes="TYX").sizes == {"T": 3, "C": 1, "Z": 1, "Y": 16, "X": 20}


def test_pages_of_several_sizes_are_pointed_out(tmp_path: Path) -> None:
    source = open_pages(tmp_path / "a.tif", (16, 20), (30, 9))
    assert source.shape == (16, 20)
    assert any("2 images" in note for note in source.notes)


def test_three_planes_that_tifffile_takes_for_rgb_are_pointed_out(tmp_path: Path) -> None:
    source = open_image(save(tmp_path / "a.tif", np.zeros((3, 64, 64), np.uint8), photometric="rgb"))
    assert source.axes.is_guess
    assert any("--axes ZYX" in note for note in source.notes)
    assert open_image(tmp_path / "a.tif", axes="ZYX").sizes["Z"] == 3


def test_pyramid_gives_its_finest_level(tmp_path: Path) -> None:
    image = RNG.integers(0, 255, (64, 64)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif", ome=True) as writer:
        writer.write(image, subifds=1, tile=(32, 32), metadata={"axes": "YX"})
        writer.write(image[::2, ::2], subfiletype=1, tile=(32, 32))
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read()[0, 0], image)


@pytest.mark.parametrize(("count", "options"), [(1, {}), (5, {}), (5, {"bigtiff": True}), (5, {"byteorder": ">"})])
def test_chain_is_counted(count: int, options: dict[str, Any], tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", np.zeros((count, 8, 8), np.uint8), compression="zlib", **options)
    chain = walk_chain(path)
    assert (chain.count, chain.fault) == (count, "")


def test_bad_indices_are_named(tmp_path: Path) -> None:
    source = open_image(save(tmp_path / "a.tif", np.zeros((5, 8, 8), np.uint8), metadata={"axes": "ZYX"}))
    for wrong in (
        {"z": 5},
        {"z": -1},
        {"t": 1},
        {"channels": [1]},
        {"yx": (slice(4, 4), slice(0, 8))},
        {"z": slice(0, 5, 2)},
    ):
        with pytest.raises(InputError, match=r"a\.tif"):
            source.read(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "is_told"),
    [
        ({"ome": True, "metadata": {"axes": "ZYX"}}, True),
        ({"imagej": True, "metadata": {"axes": "ZYX"}}, True),
        ({"metadata": None, "photometric": "minisblack"}, False),
    ],
    ids=["ome", "imagej", "plain"],
)
def test_axes_against_the_metadata_are_obeyed_and_told(options: dict[str, Any], is_told: bool, tmp_path: Path) -> None:
    source = open_image(save(tmp_path / "a.tif", np.zeros((3, 8, 8), np.uint8), **options), axes="TYX")
    assert source.axes.letters == "TYX"
    told = "a.tif: the file says ZYX, --axes says TYX: using TYX"
    assert source.notes == ((told,) if is_told else ())
