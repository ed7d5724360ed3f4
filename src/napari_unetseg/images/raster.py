"""PNG, JPEG and BMP files: one image each, decoded whole, at full bit depth, palettes kept as indices if wanted."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image, UnidentifiedImageError

from napari_unetseg.images.budget import check_allocation
from napari_unetseg.schema.errors import InputError

MAGIC = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}
_LARGEST = 2 * (Image.MAX_IMAGE_PIXELS or 89_478_485)
_GREY, _PALETTE = 0, 3


@dataclass(frozen=True, slots=True)
class Raster:
    """Decoded pixels, (Y, X) or (Y, X, S)."""

    pixels: np.ndarray
    is_palette: bool
    notes: tuple[str, ...] = ()


def read_raster(path: Path, *, as_indices: bool = False, allow_large: bool = False) -> Raster:
    """Decode a PNG, JPEG or BMP file; `as_indices` keeps palette indices and small grey values as they are."""
    check_allocation((path.stat().st_size,), np.dtype(np.uint8), what=str(path))
    data = path.read_bytes()
    _check_size(data, path=path, allow_large=allow_large)
    is_palette = False
    try:
        if data.startswith(b"\x89PNG") and not _needs_pillow(data):
            pixels = imagecodecs.png_decode(data)
        elif data.startswith(b"\xff\xd8\xff") and allow_large:
            pixels = imagecodecs.jpeg_decode(data)
        else:
            pixels, is_palette = _decode_with_pillow(path, as_indices=as_indices, allow_large=allow_large)
    except (OSError, SyntaxError, ValueError, struct.error, imagecodecs.DelayedImportError, RuntimeError) as error:
        raise InputError(f"{path}: cannot be decoded ({error}); the file is damaged, make it again") from error
    pixels, notes = _drop_constant_alpha(np.asarray(pixels), name=path.name)
    return Raster(pixels, is_palette, notes)


def _check_size(data: bytes, *, path: Path, allow_large: bool) -> None:
    width, height = _declared_size(data, path=path)
    if width * height > _LARGEST and not allow_large:
        raise InputError(
            f"{path}: declares {width} x {height} pixels, more than {_LARGEST:,}; "
            "if you trust this file, convert it to TIFF, or in Python open it with open_image(..., allow_large=True)"
        )
    check_allocation((height, width, 4), np.dtype(np.uint16), what=str(path))


def _declared_size(data: bytes, *, path: Path) -> tuple[int, int]:
    """Read width and height from the header, before any decoder sees the file."""
    if data.startswith(b"\x89PNG"):
        if len(data) < 33:
            raise InputError(f"{path}: the PNG file ends within its header; make it again")
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data.startswith(b"BM") and len(data) >= 26:
        width, height = struct.unpack("<ii", data[18:26])
        return abs(width), abs(height)
    return _jpeg_size(data, path=path)


def _jpeg_size(data: bytes, *, path: Path) -> tuple[int, int]:
    """Walk the JPEG markers to the start-of-frame (ITU T.81, B.2.2)."""
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 1 if marker == 0xFF else 2 + length
    raise InputError(f"{path}: no image size in its header; the file is damaged, make it again")


def _needs_pillow(data: bytes) -> bool:
    """Whether this PNG has a palette or fewer than 8 bits, where indices and values must not be stretched."""
    depth, colour = data[24], data[25]
    return colour == _PALETTE or (colour == _GREY and depth < 8)


def _decode_with_pillow(path: Path, *, as_indices: bool, allow_large: bool) -> tuple[np.ndarray, bool]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=("PNG", "JPEG", "BMP")) as image:
                if image.mode == "P" and not as_indices:
                    return np.array(image.convert("RGBA" if "transparency" in image.info else "RGB")), False
                pixels = np.array(image)
                return (_unstretch(pixels, path) if as_indices else pixels), image.mode == "P"
        except UnidentifiedImageError as error:
            raise InputError(f"{path}: not a readable PNG, JPEG or BMP image; make it again") from error
        except Image.DecompressionBombError as error:
            advice = (
                "convert it to TIFF"
                if allow_large
                else "convert it to TIFF, or in Python open it with open_image(..., allow_large=True)"
            )
            raise InputError(f"{path}: {error}; {advice}") from error


def _unstretch(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Undo the stretch of 2- and 4-bit grey values to 0..255, so that ids are those in the file."""
    with path.open("rb") as file:
        header = file.read(26)
    if not header.startswith(b"\x89PNG") or header[25] != _GREY or header[24] not in (2, 4):
        return pixels
    factor = 255 // (2 ** header[24] - 1)
    return np.asarray(pixels // factor)


def _drop_constant_alpha(pixels: np.ndarray, *, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Drop transparency that says nothing (RGBA -> RGB, grey + alpha -> grey); keep and mention one that varies."""
    if pixels.ndim != 3:
        return pixels, ()
    if pixels.shape[-1] == 1:
        return pixels[..., 0], ()
    if pixels.shape[-1] not in (2, 4):
        return pixels, ()
    alpha = pixels[..., -1]
    if np.all(alpha == alpha.flat[0]):
        kept = pixels[..., 0] if pixels.shape[-1] == 2 else pixels[..., :3]
        return np.ascontiguousarray(kept), (f"{name}: constant transparency dropped",)
    last = pixels.shape[-1] - 1
    return pixels, (f"{name}: its transparency varies; it is read as channel {last}, choose channels to leave it out",)
