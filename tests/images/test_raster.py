"""PNG, JPEG and BMP files."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from napari_unetseg.images import raster
from napari_unetseg.images.read import open_image, read_labels
from napari_unetseg.schema.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(9, 7), (9, 7, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_keeps_every_bit(shape: tuple[int, ...], dtype: type, tmp_path: Path) -> None:
    pixels = RNG.integers(0, np.iinfo(dtype).max, shape).astype(dtype)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    source = open_image(tmp_path / "a.png")
    assert source.dtype == dtype
    assert source.axes.letters == ("YX" if len(shape) == 2 else "YXS")
    np.testing.assert_array_equal(np.moveaxis(source.read()[:, 0], 0, -1).reshape(shape), pixels)


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_grey_ids_are_not_stretched(bits: int, tmp_path: Path) -> None:
    ids = np.arange(2**bits, dtype=np.uint8).reshape(1, -1)
    packed = np.packbits(((ids.ravel()[:, None] >> np.arange(bits)[::-1]) & 1).ravel().astype(np.uint8))
    (tmp_path / "a.png").write_bytes(_grey_png(ids.shape[1], bits=bits, row=packed.tobytes()))
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), ids)


def _grey_png(width: int, *, bits: int, row: bytes) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, 1, bits, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" + row)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_grey_stored_as_rgb_stays_rgb_for_images_and_is_one_plane_for_labels(tmp_path: Path) -> None:
    ids = RNG.integers(0, 9, (6, 5)).astype(np.uint8)
    Image.fromarray(np.stack([ids] * 3, axis=-1)).save(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png").sizes["C"] == 3
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png"), ids)


@pytest.mark.parametrize("ending", ["jpg", "bmp"])
def test_other_formats(ending: str, tmp_path: Path) -> None:
    Image.new("RGB", (12, 8), (10, 100, 200)).save(tmp_path / f"a.{ending}", quality=95)
    pixels = open_image(tmp_path / f"a.{ending}").read()[:, 0]
    assert pixels.shape == (3, 8, 12)
    assert np.abs(pixels.mean(axis=(1, 2)) - [10, 100, 200]).max() < 4


def test_a_palette_up_to_255_has_no_void(tmp_path: Path) -> None:
    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(indices)
    image.putpalette(list(range(256)) * 3)
    image.save(tmp_path / "a.png")
    labels = read_labels(tmp_path / "a.png")
    assert labels.dtype == np.uint32
    np.testing.assert_array_equal(labels, indices)


def test_b8_a_large_file_can_be_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster, "_LARGEST", 50)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(np.ones((8, 8), np.uint8)))
    with pytest.raises(InputError, match="allow_large"):
        open_image(tmp_path / "a.png")
    assert open_image(tmp_path / "a.png", allow_large=True).read().all()
