"""Palette PNGs as PASCAL VOC has them: every pixel is the index of a colour, and 255 means "not annotated"."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from napari_unetseg.images.label_ids import IGNORE, to_ids
from napari_unetseg.images.write import write_bytes
from napari_unetseg.schema.errors import InputError

VOID = 255
"""The index of pixels that are not annotated."""


class PaletteError(InputError):
    """Labels that no palette PNG holds."""


def voc_palette() -> np.ndarray:
    """Return the colours (256, 3) of PASCAL VOC, uint8.

    The bits of an index, lowest first, go to the red, green and blue of the highest bit, then of the next lower one:
    1 is (128, 0, 0), 2 is (0, 128, 0), 255 is (224, 224, 192).
    """
    indices = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            place = 3 * bit + channel
            if place < 8:
                colours[:, channel] |= ((indices >> place & 1) << (7 - bit)).astype(np.uint8)
    return colours


def write_palette(path: str | Path, labels: np.ndarray) -> Path:
    """Write labels (Y, X) as a palette PNG in the colours of PASCAL VOC, atomically; -1 becomes index 255.

    Ids go up to 254, with pixels of -1 to 253, since readers take 255 for "not annotated" unless 254 is there too.
    Other labels are a `PaletteError`.
    """
    path = Path(path)
    ids = to_ids(np.asarray(labels), name=path.name)
    if ids.ndim != 2 or not ids.size:
        raise PaletteError(
            f"{path}: a palette PNG holds one plane (Y, X), got labels of shape {ids.shape}; a TIFF holds them, leave "
            "--palette out"
        )
    has_void = bool((ids == IGNORE).any()) if ids.dtype.kind == "i" else False
    highest, most = int(ids.max()), VOID - 2 if has_void else VOID - 1
    if highest > most:
        raise PaletteError(
            f"{path}: a palette PNG holds ids up to {most}{' beside pixels of -1' if has_void else ''}, got {highest}; "
            "a TIFF holds all, leave --palette out"
        )
    image = Image.fromarray(np.where(ids == IGNORE, VOID, ids).astype(np.uint8))
    image.putpalette(voc_palette().tobytes())
    stored = io.BytesIO()
    image.save(stored, format="PNG")
    return write_bytes(path, stored.getvalue())
