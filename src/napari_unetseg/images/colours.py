"""Masks in which a colour stands for a class: tables of colours, and colours turned into class numbers."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images.label_ids import IGNORE, number_of_word
from napari_unetseg.images.listed_classes import check_listed
from napari_unetseg.images.palette import VOID, voc_palette
from napari_unetseg.images.read import open_image
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

_HIGHEST_CLASS = 254
_LARGEST_TABLE = 2**20
"""Bytes; a table of colours is a few lines."""


@dataclass(frozen=True, slots=True)
class ColourTable:
    """Which colour (0xRRGGBB) stands for which class number, and the names of classes 1, 2, ... if they have some."""

    numbers: Mapping[int, int]
    names: tuple[str, ...] = ()
    where: str = "the colours of PASCAL VOC"
    """What an error calls the table."""


def voc_table() -> ColourTable:
    """Return the table in which the colour of index k of PASCAL VOC stands for k, and that of 255 for -1."""
    codes = _codes(voc_palette())
    return ColourTable({int(code): IGNORE if index == VOID else index for index, code in enumerate(codes)})


def read_colours(path: Path, *, listed: Sequence[str] = ()) -> ColourTable:
    """Read a table of colours from TOML or JSON: lines like '"#ff0000" = 1' or '"255,0,0" = "vesicle"'.

    Values are numbers of classes (0 background, -1 not annotated), or else all of them names, which are numbered 1, 2,
    ... as they come, or as they are `listed`; "background" and "ignore" are 0 and -1. Black is background unless the
    table says otherwise.
    """
    numbers: dict[int, int] = {}
    names: list[str] = []
    entries = _entries(path)
    for key, value in entries.items():
        code = _code_of(key, path=path)
        if code in numbers:
            raise InputError(f"{path}: has the colour {readable(code)} twice; keep one")
        numbers[code] = _number_of(value, key=key, names=names, path=path)
    if any(isinstance(value, int) and value > 0 for value in entries.values()):
        if names:
            raise InputError(f"{path}: mixes names and numbers of classes; give names for all, or numbers for all")
        if listed:
            raise InputError(f"{path}: gives the classes numbers, not names; leave --classes out, or write names there")
    if listed:
        check_listed(names, listed=listed, where=str(path))
        place = {0: 0, IGNORE: IGNORE} | {number: listed.index(name) + 1 for number, name in enumerate(names, start=1)}
        numbers = {code: place[number] for code, number in numbers.items()}
    return ColourTable({0: 0, **numbers}, tuple(listed or names), path.name)


def colours_to_classes(pixels: np.ndarray, *, table: ColourTable, name: str) -> np.ndarray:
    """Return the class numbers (Y, X), int32, of colours (Y, X, 3), uint8; an unknown colour is an error.

    The error names the colour, its first place, and how many pixels have it.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
        raise InputError(
            f"{name}: holds pixels of shape {pixels.shape} and type {pixels.dtype}; a mask in colours has red, green "
            "and blue of 8 bits, without transparency"
        )
    codes = _codes(pixels)
    present, places = np.unique(codes, return_inverse=True)
    unknown = [int(code) for code in present if int(code) not in table.numbers]
    if unknown:
        is_it = codes == unknown[0]
        y, x = np.argwhere(is_it)[0]
        others = f", and {counted(len(unknown) - 1, 'other colour')}" if len(unknown) > 1 else ""
        raise InputError(
            f"{name}: the colour {readable(unknown[0])} at row {y}, column {x} "
            f"({counted(int(np.count_nonzero(is_it)), 'pixel')}{others}) is not among {table.where}; add it with "
            "--colours, or, if colours are mixed at edges, export the mask without smoothing, as PNG"
        )
    numbers = np.array([table.numbers[int(code)] for code in present], np.int32)
    classes: np.ndarray = numbers[places.reshape(codes.shape)]
    return classes


def read_colour_mask(path: Path, *, table: ColourTable) -> np.ndarray:
    """Read a mask in colours: PNG, BMP, JPEG or RGB TIFF -> class numbers (Y, X)."""
    source = open_image(path)
    sizes = source.sizes
    if sizes["T"] * sizes["Z"] != 1:
        raise InputError(f"{path}: a mask in colours is one plane, got {source.axes.letters} of shape {source.shape}")
    pixels = np.moveaxis(source.read(z=0), 0, -1)  # (Y, X, C)
    if pixels.shape[-1] == 1:
        _check_greys(pixels, table=table, name=str(path))
        pixels = np.repeat(pixels, 3, axis=-1)  # greys: red, green and blue are alike
    return colours_to_classes(pixels, table=table, name=str(path))


def _check_greys(pixels: np.ndarray, *, table: ColourTable, name: str) -> None:
    """Refuse numbers that are no greys: not of 8 bits, or none of them but 0 is a colour that the table has."""
    found = np.unique(pixels)
    is_known = [int(grey) * 0x010101 in table.numbers for grey in found if grey]
    if pixels.dtype == np.uint8 and (any(is_known) or not is_known):
        return
    raise InputError(
        f"{name}: holds one number per pixel (type {pixels.dtype}, {found[0]} to {found[-1]}), not colours; leave "
        "--colours and --format colours out, and say with --semantic if the numbers are classes"
    )


def readable(code: int) -> str:
    """Return a colour as people write it: #ff8000."""
    return f"#{code:06x}"


def _codes(pixels: np.ndarray) -> np.ndarray:
    red, green, blue = (pixels[..., channel].astype(np.uint32) for channel in range(3))
    codes: np.ndarray = red << 16 | green << 8 | blue
    return codes


def _entries(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_TABLE:
            raise InputError(f"{path}: is too large for a table of colours; give lines like '\"#ff0000\" = 1'")
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: the colours cannot be read ({error.strerror}); check the path") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no table of colours ({error}); give lines like '\"#ff0000\" = 1'") from error
    if isinstance(found, dict) and isinstance(found.get("colours"), dict):
        found = found["colours"]
    if not isinstance(found, dict) or not found:
        raise InputError(f"{path}: holds no colours; give lines like '\"#ff0000\" = 1'")
    return found


def _code_of(key: str, *, path: Path) -> int:
    if match := re.fullmatch(r"\s*#?([0-9a-fA-F]{6})\s*", key):
        return int(match[1], 16)
    parts = key.split(",")
    if len(parts) == 3 and all(part.strip().isascii() and part.strip().isdigit() for part in parts):
        red, green, blue = (int(part) for part in parts)
        if max(red, green, blue) <= 255:
            return red << 16 | green << 8 | blue
    raise InputError(f'{path}: \'{key[:40]}\' is no colour; write "#ff0000" or "255,0,0"')


def _number_of(value: object, *, key: str, names: list[str], path: Path) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and IGNORE <= value <= _HIGHEST_CLASS:
        return value
    if isinstance(value, str) and value.strip():
        name = value.strip()
        if (number := number_of_word(name)) is not None:
            return number
        if name not in names:
            names.append(name)
        return names.index(name) + 1
    raise InputError(
        f"{path}: the colour {key} stands for {value!r}; give the number of a class (0 to {_HIGHEST_CLASS}, or -1 for "
        "'not annotated') or a name"
    )
