"""Damaged, hostile and odd image files (cases B1-B26, D11, D12, D17, D22, D23): refused by name, or read rightly."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from napari_unetseg.images.find import find_images
from napari_unetseg.images.layouts import output_names
from napari_unetseg.images.read import from_array, open_image, read_labels
from napari_unetseg.schema.errors import InputError

Maker = Callable[[Path], Path]
STACK = np.random.default_rng(0).integers(0, 4000, (10, 64, 64)).astype(np.uint16)


def encode(array: np.ndarray, **options: object) -> bytes:
    """Return the bytes of a TIFF of `array`."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def cut(path: Path, *, share: float, **options: object) -> Path:
    data = encode(STACK, **options)
    return saved(path, data[: int(len(data) * share)])


def read_all(path: Path) -> np.ndarray:
    """Open and read every pixel."""
    source = open_image(path)
    return np.stack([source.read(t=t) for t in range(source.sizes["T"])])


def header(*tags: tuple[int, int, int, int], following: int = 0) -> bytes:
    """Return a little-endian classic TIFF of one directory at byte 8: (tag, type, count, value) each."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following)


def declaring(edge: int, *, compression: int = 1) -> bytes:
    """Return a TIFF of some hundred bytes that declares edge x edge pixels."""
    return header(
        (256, 4, 1, edge), (257, 4, 1, edge), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
        (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, edge), (279, 4, 1, 100),
    )  # fmt: skip


def circular() -> bytes:
    return declaring(8)[:-4] + struct.pack("<I", 8) + bytes(64)


def with_bad_strip(*, page: int, **options: object) -> bytes:
    """Return a stack of which one strip holds garbage."""
    data = bytearray(encode(STACK, compression="zlib", **options))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        offset, count = file.pages[page].dataoffsets[0], file.pages[page].databytecounts[0]
    data[offset : offset + count] = bytes([0xFF]) * count
    return bytes(data)


def with_lost_strip() -> bytes:
    """Return a stack of which one strip is declared to have no bytes, as a sparse file has."""
    data = bytearray(encode(STACK, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        tag = file.pages[4].tags["StripByteCounts"]
        struct.pack_into("<I" if tag.dtype == 4 else "<H", data, tag.valueoffset, 0)
    return bytes(data)


def ome_with(xml: str, planes: int = 2) -> bytes:
    return encode(STACK[:planes], description=xml.encode(), metadata=None, photometric="minisblack")


def ome_xml(*, size_z: int, extra: str = "", uuid: str = "") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="64" SizeY="64" {extra} '
        f'SizeZ="{size_z}" SizeC="1" SizeT="1"><Channel ID="C:0" SamplesPerPixel="1"/>'
        f'<TiffData IFD="0" PlaneCount="2">{uuid}</TiffData></Pixels></Image></OME>'
    )


def two_files() -> str:
    """Return OME-XML of four planes, of which two lie in a file that is not there."""
    other = '<TiffData FirstZ="2" IFD="0" PlaneCount="2"><UUID FileName="b.tif">urn:uuid:1</UUID></TiffData></Pixels>'
    return ome_xml(size_z=4).replace("</Pixels>", other)


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a grey PNG that declares a size and holds `data`."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def ngff(path: Path, dataset: str) -> Path:
    """Return a group whose metadata name `dataset`; the forbidden array lies beside the group."""
    zarr.save_array(str(path.parent / "secret.zarr"), STACK)
    group = zarr.open_group(str(path), mode="w", zarr_format=3)
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": dataset}]}]}
    return path


def ngff_through_link(path: Path) -> Path:
    ngff(path, "0")
    (path / "0").symlink_to(path.parent / "secret.zarr")
    return path


def damaged_zarr(path: Path, data: bytes | None) -> Path:
    array = zarr.create_array(str(path), shape=STACK.shape, chunks=(1, 64, 64), dtype="uint16")
    array[:] = STACK
    chunk = path / "c" / "3" / "0" / "0"
    assert chunk.is_file()
    stored = chunk.read_bytes()
    chunk.write_bytes(stored[: len(stored) // 2] if data is None else data)
    return path


def declared_zarr(path: Path, shape: list[int], chunks: list[int]) -> Path:
    zarr.create_array(str(path), shape=(4, 4), chunks=(4, 4), dtype="uint8")
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["shape"] = shape
    metadata["chunk_grid"]["configuration"]["chunk_shape"] = chunks
    (path / "zarr.json").write_text(json.dumps(metadata))
    return path


REFUSED: dict[str, tuple[str, Maker, str]] = {
    "B1-empty": ("a.tif", lambda p: saved(p, b""), "empty"),
    "B1-four-bytes": ("a.tif", lambda p: saved(p, b"II*\0"), "complete TIFF header"),
    "B2-zip-as-tif": ("a.tif", lambda p: saved(p, b"PK\x03\x04" + bytes(50)), "zip"),
    "B2-text-as-tif": ("a.tif", lambda p: saved(p, b"hello, this is text"), "is no tif file whatever its name"),
    "B2-text-as-text": ("a.txt", lambda p: saved(p, b"hello, this is text"), "unknown kind"),
    **{f"B3-cut-{s}": ("a.tif", lambda p, s=s: cut(p, share=s), "cut|incomplete") for s in (0.1, 0.5, 0.9, 0.99)},
    **{
        f"B4-zlib-cut-{s}": ("a.tif", lambda p, s=s: cut(p, share=s, compression="zlib"), "cut|incomplete|10 planes")
        for s in (0.1, 0.5, 0.9, 0.99)
    },
    **{
        f"B4-plain-cut-{s}": (
            "a.tif",
            lambda p, s=s: cut(p, share=s, compression="zlib", metadata=None, photometric="minisblack"),
            "cut|readable",
        )
        for s in (0.1, 0.5, 0.9, 0.99)
    },
    "B4-numbers": ("a.tif", lambda p: cut(p, share=0.5, compression="zlib"), "declares 10 planes, 5 readable"),
    "B4-imagej-numbers": (
        "a.tif",
        lambda p: cut(p, share=0.5, imagej=True, compression="zlib", metadata={"axes": "ZYX"}),
        r"declares 10 planes, \d readable",
    ),
    "B4-imagej-bare": ("a.tif", lambda p: cut(p, share=0.5, imagej=True, metadata={"axes": "ZYX"}), "cut|incomplete"),
    "B4-ome-numbers": (
        "a.ome.tif",
        lambda p: cut(p, share=0.5, ome=True, compression="zlib", metadata={"axes": "ZYX"}),
        "cut|incomplete",
    ),
    "B4-bigtiff": ("a.tif", lambda p: cut(p, share=0.5, bigtiff=True, compression="zlib"), "cut|incomplete"),
    "B5-strip": ("a.tif", lambda p: saved(p, with_bad_strip(page=3)), "plane 4 of 10.*strip 1"),
    "B5-tile": ("a.tif", lambda p: saved(p, with_bad_strip(page=3, tile=(32, 32))), "plane 4 of 10.*tile 1"),
    "B5-sparse": ("a.tif", lambda p: saved(p, with_lost_strip()), "plane 5 of 10.*no data"),
    "B6-circle": ("a.tif", lambda p: saved(p, circular()), "circular"),
    "B7-30000": ("a.tif", lambda p: saved(p, declaring(30_000)), "pixels|plane|declares"),
    "B7-2**31": ("a.tif", lambda p: saved(p, declaring(2**31)), "plausible|declares|needed"),
    "B7-zlib": ("a.tif", lambda p: saved(p, declaring(30_000, compression=8)), "declares|needed|cut"),
    "B7-tag-of-4-GB": ("a.tif", lambda p: saved(p, header((270, 2, 2**32 - 1, 8))), "declares 4294967295 bytes"),
    "B7-no-tags": ("a.tif", lambda p: saved(p, header()), "0 tags"),
    "B8-png": ("a.png", lambda p: saved(p, png(20_000, 20_000)), "allow_large"),
    "B8-png-header-only": ("a.png", lambda p: saved(p, png(64, 64)[:20]), "within its header"),
    "B8-png-no-pixels": ("a.png", lambda p: saved(p, png(64, 64)), "damaged"),
    "B8-png-cut": ("a.png", lambda p: saved(p, png(64, 64, os.urandom(64 * 65))[:2000]), "damaged"),
    "B8-jpeg-cut": ("a.jpg", lambda p: saved(p, b"\xff\xd8\xff\xe0\x00\x10JFIF"), "damaged"),
    "B11-too-few-pages": ("a.tif", lambda p: saved(p, ome_with(ome_xml(size_z=7))), "declares 7 planes, 2 readable"),
    "B11-companion": ("a.tif", lambda p: saved(p, ome_with(two_files())), "declares 4 planes, 2 readable"),
    "B13-dots": ("a.zarr", lambda p: ngff(p, "../secret.zarr"), "outside the store"),
    "B13-inner-dots": ("a.zarr", lambda p: ngff(p, "x/../../secret.zarr"), "outside the store"),
    "B13-absolute": ("a.zarr", lambda p: ngff(p, str(p.parent / "secret.zarr")), "outside the store"),
    "B13-url": ("a.zarr", lambda p: ngff(p, "https://example.org/x.zarr"), "outside the store"),
    "B13-file-url": ("a.zarr", lambda p: ngff(p, "file:///etc"), "outside the store"),
    "B13-link": ("a.zarr", ngff_through_link, "outside the store"),
    "B13-absent": ("a.zarr", lambda p: ngff(p, "0"), "cannot be read as zarr"),
    "B14-cut-chunk": ("a.zarr", lambda p: damaged_zarr(p, None), "chunk 3/0/0"),
    "B14-empty-chunk": ("a.zarr", lambda p: damaged_zarr(p, b""), "chunk 3/0/0"),
    "B14-flipped-chunk": ("a.zarr", lambda p: damaged_zarr(p, b"\x55" * 400), "chunk 3/0/0"),
    "B16-shape": ("a.zarr", lambda p: declared_zarr(p, [4, 2**40], [4, 4]), "plausible"),
    "B16-total": ("a.zarr", lambda p: declared_zarr(p, [2**30, 2**30], [4, 4]), "plausible"),
    "B16-chunk": ("a.zarr", lambda p: declared_zarr(p, [2**20, 2**20], [2**20, 2**20]), "available|needed"),
    "B16-read": ("a.zarr", lambda p: declared_zarr(p, [2**20, 2**20], [1024, 1024]), "available"),
    "B16-not-json": ("a.zarr", lambda p: (p.mkdir(), saved(p / "zarr.json", b"{"))[0] or p, "cannot be read as zarr"),
    "B18-complex": ("a.tif", lambda p: saved(p, encode(STACK.astype(np.complex64))), "complex"),
    "B20-npy-empty-axis": ("a.npy", lambda p: (np.save(p, np.zeros((0, 5))), p)[1], "empty"),
    "npy-object": ("a.npy", lambda p: (np.save(p, np.array([[None]]), allow_pickle=True), p)[1], "npy"),
    "npy-cut": ("a.npy", lambda p: (np.save(p, STACK), saved(p, p.read_bytes()[:500]))[1], "npy"),
    "A24-folder": ("a.tif", lambda p: (p.mkdir(), p)[1], "folder"),
    "A24-pipe": ("a.tif", lambda p: (os.mkfifo(p), p)[1], "pipe"),
    "A24-long-name": ("a.tif", lambda p: p.with_name("n" * 300), "cannot be opened"),
    "A24-absent": ("a.tif", lambda p: p, "does not exist"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_by_name_and_at_once(case: str, tmp_path: Path) -> None:
    name, make, message = REFUSED[case]
    path = make(tmp_path / name)
    start = time.perf_counter()
    with pytest.raises(InputError, match=message) as caught:
        read_all(path)
    assert time.perf_counter() - start < 2
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd"], ids="B17-{}".format)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_byte_orders_and_codecs_give_the_same_pixels(compression: str | None, byteorder: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "a.tif", encode(STACK, compression=compression, byteorder=byteorder))
    pixels = read_all(path)[0, 0]
    assert pixels.dtype == np.uint16
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, STACK)


@pytest.mark.parametrize(
    "dtype", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "?"], ids="B18-{}".format
)
def test_every_real_pixel_type_is_read_exactly(dtype: str, tmp_path: Path) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    if dtype == "u8":
        array[0, 0] = 2**63 + 1
    written = array.astype(np.uint8) if dtype == "?" else array
    tif = saved(tmp_path / "a.tif", encode(written, photometric="minisblack"))
    np.save(tmp_path / "a.npy", array)
    zarr.save_array(str(tmp_path / "a.zarr"), array)
    np.testing.assert_array_equal(open_image(tif).read()[0, 0], written)
    np.testing.assert_array_equal(open_image(tmp_path / "a.npy").read()[0, 0], array)
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").read()[0, 0], array)
    np.testing.assert_array_equal(from_array(array).read()[0, 0], array)


def test_b2_png_bytes_in_a_tif_are_read_by_content(tmp_path: Path) -> None:
    Image.fromarray(STACK[0].astype(np.uint8)).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", tmp_path / "a.tif")
    np.testing.assert_array_equal(open_image(tmp_path / "a.tif").read()[0, 0], STACK[0].astype(np.uint8))


def test_b5_good_planes_of_a_damaged_stack_stay_readable(tmp_path: Path) -> None:
    source = open_image(saved(tmp_path / "a.tif", with_bad_strip(page=3)))
    np.testing.assert_array_equal(source.read(z=2)[0], STACK[2])
    with pytest.raises(InputError, match="plane 4 of 10"):
        source.read(z=3)


def test_b5_every_flip_in_zlib_data_is_an_error_or_harmless(tmp_path: Path) -> None:
    data = encode(STACK[:2], compression="zlib")
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        offset, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    wrong = 0
    for position in np.random.default_rng(1).integers(offset, offset + count, 20):
        flipped = bytearray(data)
        flipped[position] ^= 0x10
        try:
            wrong += not np.array_equal(read_all(saved(tmp_path / "a.tif", bytes(flipped)))[0, 0], STACK[:2])
        except InputError:
            continue
    assert wrong == 0


def test_b11_renamed_ome_file_is_read_with_a_note(tmp_path: Path) -> None:
    xml = ome_xml(size_z=2, uuid='<UUID FileName="old name.tif">urn:uuid:1</UUID>')
    source = open_image(saved(tmp_path / "a.tif", ome_with(xml)))
    np.testing.assert_array_equal(source.read()[0], STACK[:2])
    assert any("other files" in note for note in source.notes)


def test_b11_pixels_in_a_second_file_are_read(tmp_path: Path) -> None:
    saved(tmp_path / "b.tif", encode(STACK[2:4], metadata=None, photometric="minisblack", compression="zlib"))
    path = saved(tmp_path / "a.tif", ome_with(two_files()))
    source = open_image(path)
    np.testing.assert_array_equal(source.read()[0], STACK[:4])
    (tmp_path / "b.tif").unlink()
    with pytest.raises(InputError, match=r"a\.tif"):
        source.read(z=3)


def test_a_zarr_of_pickles_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    zarr.create_array(str(tmp_path / "a.zarr"), data=STACK[0], zarr_format=2, compressors=None, chunks=(64, 64))
    metadata = json.loads((tmp_path / "a.zarr" / ".zarray").read_text())
    metadata["filters"] = [{"id": "pickle", "protocol": 2}]
    (tmp_path / "a.zarr" / ".zarray").write_text(json.dumps(metadata))
    (tmp_path / "a.zarr" / "0.0").write_bytes(b"cos\nmkdir\n(S'" + str(tmp_path / "canary").encode() + b"'\ntR.")
    with pytest.raises(InputError, match="pickles"):
        read_all(tmp_path / "a.zarr")
    assert not (tmp_path / "canary").exists()


BOMB = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "{body}">]>' + "<OME>&a;</OME>"


@pytest.mark.parametrize(
    ("case", "xml"),
    [
        ("B9-laughs", BOMB.format(body="ha" * 50)),
        ("B10-file", '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><OME>&a;</OME>'),
        ("B10-http", '<!DOCTYPE x [<!ENTITY a SYSTEM "http://localhost:1/x">]><OME>&a;</OME>'),
        ("B9-not-xml", "<OME><Image></OME>"),
        ("B13-companion-elsewhere", ome_xml(size_z=2, uuid='<UUID FileName="../b.tif">urn:uuid:1</UUID>')),
        ("B13-companion-absolute", ome_xml(size_z=2, uuid='<UUID FileName="/tmp/b.tif">urn:uuid:1</UUID>')),
    ],
)
def test_hostile_ome_xml_is_ignored_and_pixels_are_read(case: str, xml: str, tmp_path: Path) -> None:
    source = open_image(saved(tmp_path / "a.tif", ome_with(xml)))
    assert any("ignored" in note for note in source.notes), case
    assert source.scale == {}
    np.testing.assert_array_equal(source.read()[0], STACK[:2])


def test_b12_description_that_is_not_utf8_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, STACK[0], description=b"gr\xf6\xdfe 5 \xb5m", metadata=None)
    source = open_image(path)
    assert source.scale == {}
    np.testing.assert_array_equal(source.read()[0, 0], STACK[0])


def test_b15_missing_chunks_of_an_input_are_counted(tmp_path: Path) -> None:
    path = damaged_zarr(tmp_path / "a.zarr", b"x")
    (path / "c" / "3" / "0" / "0").unlink()
    source = open_image(path)
    assert any("1 of 10 chunks" in note for note in source.notes)
    assert not source.read(z=3).any()
    np.testing.assert_array_equal(source.read(z=4)[0], STACK[4])


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (1, 1, 1)], ids="B20-{}".format)
def test_axes_of_one_pixel_are_read(shape: tuple[int, ...], tmp_path: Path) -> None:
    array = np.ones(shape, dtype=np.uint8)
    for path in (
        saved(tmp_path / "a.tif", encode(array)),
        saved(tmp_path / "z.tif", encode(array, compression="zlib")),
    ):
        assert open_image(path).read(z=0).shape == (1, *shape[-2:])


def test_b21_voc_palette_gives_indices_and_ignore(tmp_path: Path) -> None:
    indices = np.array([[0, 1, 1, 255], [0, 2, 2, 255]], dtype=np.uint8)
    image = Image.fromarray(indices, mode=None)
    image.putpalette([int(value) for value in np.random.default_rng(0).integers(0, 255, 768)])
    image.save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, [[0, 1, 1, -1], [0, 2, 2, -1]])
    assert open_image(tmp_path / "a.png").axes.letters == "YXS"


def test_b21_colour_coded_labels_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3)).astype(np.uint8)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="colours, not ids"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize(("varies", "samples"), [(False, 3), (True, 4)], ids=["B22-constant", "B22-varying"])
def test_transparency_of_a_png(varies: bool, samples: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 4)).astype(np.uint8)
    if not varies:
        pixels[..., 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    source = open_image(tmp_path / "a.png")
    assert source.sizes["C"] == samples
    assert any("transparency" in note for note in source.notes)
    np.testing.assert_array_equal(source.read(channels=[0, 1, 2])[:, 0], pixels[..., :3].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "names",
    [
        ["a.tif", "a.png"],
        ["a.tif", "A.tif"],
        ["a.tif", "a.png", "A.TIF"],
        ["a.tif", "a.tif_labels.tif", "a_labels.tif", "a.png"],
        ["x/a.tif", "y/a.tif"],
        ["x/a.tif", "x/a.png", "y/a.tif"],
        ["1/x/a.tif", "2/x/a.tif"],
        ["caf\u00e9.tif", "cafe\u0301.tif"],
        ["n" * 246 + ".tif", "n" * 245 + "m.tif"],
        ["a b:c.tif", "-a.tif", ".ome.tif"],
    ],
    ids="B23-B24-{}".format,
)
def test_no_two_inputs_share_an_output(names: list[str], tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in names]
    outputs = output_names(inputs, folder=tmp_path, suffix="_labels.tif")
    lowered = [str(path).casefold() for path in outputs.values()]
    assert list(outputs) == inputs
    assert len(set(lowered)) == len(inputs)
    assert not set(lowered) & {str(path).casefold() for path in inputs}
    assert all(len(path.name.encode()) <= 255 and path.name.endswith("_labels.tif") for path in outputs.values())
    assert outputs == output_names(inputs, folder=tmp_path, suffix="_labels.tif")


@pytest.mark.parametrize(
    "name",
    ["a b.tif", "a:b.tif", "cafe\u0301.tif", "-x.tif", "n" * 246 + ".tif", "[1].tif", "a*.tif"],
    ids="B24-{:.9}".format,
)
def test_odd_names_round_trip(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / name, encode(STACK[0]))
    assert find_images([path]) == [path]
    assert find_images([tmp_path]) == [path]
    np.testing.assert_array_equal(open_image(path).read()[0, 0], STACK[0])


def test_b25_link_loops_are_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = saved(tmp_path / "a.tif", encode(STACK[0]))
    (tmp_path / "loop.tif").symlink_to(tmp_path / "loop.tif")
    (tmp_path / "gone.tif").symlink_to(tmp_path / "nowhere.tif")
    assert find_images([tmp_path]) == [good]
    assert "loop.tif" in caplog.text
    with pytest.raises(InputError, match=r"loop\.tif"):
        open_image(tmp_path / "loop.tif")


def test_b26_own_outputs_are_never_inputs(tmp_path: Path) -> None:
    for name in ("a.tif", "a_labels.tif", "b_labels.tif", "a_objects.csv", ".hidden.tif"):
        saved(tmp_path / name, encode(STACK[0]))
    zarr.save_array(str(tmp_path / "a_labels.zarr"), STACK)
    for given in ([tmp_path], [tmp_path / "*"], sorted(tmp_path.glob("[!.]*.tif"))):
        assert find_images(given) == [tmp_path / "a.tif"]
    with pytest.raises(InputError, match="earlier outputs"):
        find_images([tmp_path / "a_labels.tif"])


@pytest.mark.parametrize(
    ("case", "array", "message"),
    [
        ("D11-integral", np.array([[0.0, 70000.0]]), None),
        ("D11-fraction", np.array([[0.0, 0.5]]), "0.5"),
        ("D11-nan", np.array([[0.0, np.nan]]), "NaN"),
        ("D11-inf", np.array([[0.0, np.inf]], dtype=np.float32), "NaN"),
        ("D11-huge", np.array([[0.0, 2.0**60]]), "2\\*\\*53"),
        ("D8-70000", np.array([[0, 65_535, 65_536, 70_000]], dtype=np.uint32), None),
        ("D9", np.array([[0, 2**24 + 1, 2**32 - 1]], dtype=np.uint64), None),
        ("D9-too-large", np.array([[0, 2**32]], dtype=np.uint64), "4294967296"),
        ("D10-ignore", np.array([[0, -1, 5]], dtype=np.int16), None),
        ("D12-negative", np.array([[0, -2]], dtype=np.int16), "-2"),
        ("D12-ignore-and-large", np.array([[-1, 2**31]], dtype=np.int64), "-1 and the id"),
        ("bool", np.array([[False, True]]), None),
    ],
)
def test_label_ids_are_exact_or_refused(case: str, array: np.ndarray, message: str | None, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    if message is not None:
        with pytest.raises(InputError, match=message):
            read_labels(tmp_path / "a.npy")
        return
    labels = read_labels(tmp_path / "a.npy")
    assert labels.dtype == (np.int32 if array.min() < 0 else np.uint32), case
    np.testing.assert_array_equal(labels.astype(np.float64), array.astype(np.float64))


@pytest.mark.parametrize(
    ("shape", "letters"),
    [((64, 64, 3), "YXS"), ((3, 64, 64), "ZYX"), ((20, 64, 3), "ZYX"), ((7, 64, 64), "ZYX"), ((9, 2, 64, 64), "ZCYX")],
    ids="D17-{}".format,
)
def test_arrays_without_metadata_are_guessed_visibly(shape: tuple[int, ...], letters: str) -> None:
    source = from_array(np.zeros(shape, dtype=np.uint8))
    if shape == (20, 64, 3):
        letters = "YXS"  # cannot be told apart from a narrow colour image
    assert source.axes.letters == letters
    assert source.axes.is_guess
    assert "pass --axes" in source.axes.note
    assert source.axes.note in source.notes[0]
    assert from_array(np.zeros(shape), axes="CZYX"[-len(shape) :]).axes.is_guess is False


def test_d22_arrays_are_neither_changed_nor_handed_out() -> None:
    array = STACK.copy()
    array.setflags(write=False)
    for kwargs in ({}, {"z": 3}, {"yx": (slice(2, 9), slice(0, 64))}):
        pixels = from_array(array).read(**kwargs)  # type: ignore[arg-type]
        assert pixels.flags.writeable
        assert pixels.flags.c_contiguous
        assert not np.shares_memory(pixels, array)
        pixels[...] = 0
    np.testing.assert_array_equal(array, STACK)


def _as_dask(array: np.ndarray) -> object:
    return pytest.importorskip("dask.array").from_array(array, chunks=(3, 20, 64))


class _Named:
    """A stand-in for xarray: an array with named dimensions."""

    dims = ("time", "y", "x")

    def __init__(self, array: np.ndarray) -> None:
        self.values, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        return self.values[index]


def test_d23_named_dimensions_are_taken_for_axes() -> None:
    source = from_array(_Named(STACK))
    assert (source.axes.letters, source.axes.is_guess) == ("TYX", False)
    np.testing.assert_array_equal(source.read(t=4)[0, 0], STACK[4])


@pytest.mark.parametrize(
    ("case", "make"),
    [
        ("D23-negative-stride", lambda a: a[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]),
        ("D23-fortran", np.asfortranarray),
        ("D23-big-endian", lambda a: a.astype(">u2")),
        ("D23-dask", _as_dask),
        ("D23-xarray", _Named),
        ("D23-zarr", lambda a: zarr.array(a, chunks=(4, 32, 32))),
        ("D23-list", lambda a: a.tolist()),
    ],
)
def test_arrays_of_all_kinds_read_alike(case: str, make: Callable[[np.ndarray], object]) -> None:
    source = from_array(make(STACK), axes="ZYX", name=case)
    pixels = source.read(z=slice(2, 7), yx=(slice(5, 40), slice(11, 64)))
    assert pixels.flags.c_contiguous
    assert pixels.dtype.isnative
    np.testing.assert_array_equal(pixels[0], STACK[2:7, 5:40, 11:64])


def test_d23_memmap_reads_alike(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", STACK)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    np.testing.assert_array_equal(from_array(mapped).read(z=4)[0], STACK[4])
