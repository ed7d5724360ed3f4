"""Open images and label maps, whatever holds them: a file recognised by its content, a zarr store, an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_unetseg.images.arrays import ArrayReader, from_array, open_npy
from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.budget import check_allocation
from napari_unetseg.images.find import ENDINGS, find_images
from napari_unetseg.images.label_ids import mark_void, to_ids
from napari_unetseg.images.raster import MAGIC, read_raster
from napari_unetseg.images.source import ImageSource, axes_of
from napari_unetseg.images.tiff import open_tiff
from napari_unetseg.images.zarr_store import is_zarr, open_zarr
from napari_unetseg.schema.errors import InputError

__all__ = ["ImageSource", "find_images", "from_array", "open_image", "read_labels"]

_ZARR = b"zarr folder"
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_OTHER_KINDS = {
    b"\x89HDF": "HDF5", b"PK\x03\x04": "a zip archive", b"%PDF": "PDF", b"GIF8": "GIF", b"\x1f\x8b": "gzip",
    b"RIFF": "WebP or AVI", b"\xda\xce\xbe\x0a": "Nikon ND2", b"ZISRAWFILE": "Zeiss CZI",
    b"\x70\x00\x00\x00": "Leica LIF",
}  # fmt: skip


def open_image(path: str | Path, *, axes: str | None = None, allow_large: bool = False) -> ImageSource:
    """Open a TIFF, PNG, JPEG, BMP or .npy file or a zarr store; pixels are read on demand.

    The content decides, not the ending. `allow_large` lifts the limit on the size of a PNG or JPEG file.
    """
    path = Path(path)
    start = _read_start(path)
    if start == _ZARR:
        return open_zarr(path, axes=axes)
    if start.startswith(_TIFF_MAGIC):
        return open_tiff(path, axes=axes)
    if start.startswith(b"\x93NUMPY"):
        return open_npy(path, axes=axes)
    if start.startswith(tuple(MAGIC)):
        raster = read_raster(path, allow_large=allow_large)
        declared = "YX" if raster.pixels.ndim == 2 else "YXS"
        shape, dtype = raster.pixels.shape, raster.pixels.dtype
        resolved = axes_of(shape, declared=declared, requested=axes, dtype=dtype, name=str(path))
        reader = ArrayReader(raster.pixels)
        return ImageSource(path.name, path, resolved, shape, dtype, {}, reader, raster.notes)
    kind = next((name for magic, name in _OTHER_KINDS.items() if start.startswith(magic)), None)
    if kind is None and path.suffix.lower() in ENDINGS:
        raise InputError(
            f"{path}: is no {path.suffix.lower()[1:]} file whatever its name; it may be damaged: copy it again"
        )
    raise InputError(
        f"{path}: is {kind or 'of an unknown kind'}, not TIFF, PNG, JPEG, npy or zarr; export it as TIFF or OME-Zarr"
    )


def read_labels(path: str | Path, *, axes: str | None = None) -> np.ndarray:
    """Read ids ([T,] [Z,] Y, X) as uint32; as int32 if some pixels are to be ignored (-1, or 255 of a VOC palette)."""
    path = Path(path)
    source = _open_labels(path, axes=axes)
    if source.sizes["C"] != 1:
        raise InputError(
            f"{path}: has {source.sizes['C']} channels or colours, as images have; "
            "a label map has one, give one that stores ids"
        )
    check_allocation(source.shape, np.dtype(np.uint64), what=str(path))  # as stored, and as ids
    times = [source.read(t=t, channels=[0]) for t in range(source.sizes["T"])]  # (1, Z, Y, X) each
    stored = np.concatenate(times)  # (T, Z, Y, X)
    kept = label_axes(source.axes.letters)
    lengths = dict(zip("TZYX", stored.shape, strict=True))
    return to_ids(stored.reshape(tuple(lengths[letter] for letter in kept)), name=str(path))


def _open_labels(path: Path, *, axes: str | None) -> ImageSource:
    """Open a label file; small rasters are looked at for palettes and colours first."""
    if not _read_start(path).startswith(tuple(MAGIC)):
        return open_image(path, axes=axes)
    raster = read_raster(path, as_indices=True)
    pixels = raster.pixels
    if raster.is_palette:
        pixels = mark_void(pixels)
    if pixels.ndim == 3:
        if pixels.shape[-1] != 3 or not (pixels == pixels[..., :1]).all():
            raise InputError(
                f"{path}: holds colours, not ids; convert it with its colour table (napari-unetseg import), or give ids"
            )
        pixels = pixels[..., 0]
    return from_array(pixels, axes=axes or "YX", name=str(path))


def _read_start(path: Path) -> bytes:
    """Return the first bytes of a file (or that it is a zarr store), or say why there are none."""
    try:
        if is_zarr(path):
            return _ZARR
        if path.is_dir():
            raise InputError(
                f"{path}: is a folder without zarr metadata; give a file, a zarr store, or use find_images"
            )
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is a device or pipe, not a file; save the image as a file first")
        with path.open("rb") as file:
            start = file.read(16)
    except FileNotFoundError as error:
        raise InputError(f"{path}: does not exist; check the name") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be opened ({reason}); check name, rights and connection") from error
    if not start:
        raise InputError(f"{path}: is empty (0 bytes); copy or export it again")
    return start
