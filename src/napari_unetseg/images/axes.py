"""Axis letters: what the axes of an array are, and the way to the canonical order TCZYX and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

CANONICAL = "TCZYX"
LETTERS = CANONICAL + "S"
"""S: the samples of a pixel (RGB), which become channels."""
SPATIAL = "ZYX"
LABEL_LETTERS = "TZYX"

_MAX_SAMPLES = 4
_FEW_CHANNELS = 4
_MANY_CHANNELS = 5


@dataclass(frozen=True, slots=True)
class Axes:
    """Letters of an array's axes; `note` says to a person what was guessed, and how to change it."""

    letters: str
    is_guess: bool
    note: str


def resolve_axes(
    shape: Sequence[int],
    *,
    declared: str | None,
    requested: str | None,
    dtype: np.dtype[Any] | type | str | None = None,
) -> Axes:
    """Decide what the axes are: the user's word wins over the file's, which wins over a guess from the shape.

    Letters of the file that mean nothing here (tifffile writes I or Q for "some sequence") are guessed.
    """
    shape = tuple(int(length) for length in shape)
    _check_lengths(shape)
    if requested is not None:
        letters = _check_letters(requested, shape, origin="requested")
        return Axes(letters, is_guess=False, note=_contradiction_note(letters, declared, shape))
    if declared is None:
        letters = _guess(shape, dtype)
        return Axes(letters, is_guess=_is_ambiguous(letters), note=_guess_note(letters, shape))
    declared = declared.upper()
    if len(declared) == len(shape) and not _unknown_letters(declared) and _is_usable(declared):
        return Axes(
            _check_letters(declared, shape, origin="declared"),
            is_guess=False,
            note=_many_channels_note(declared, shape),
        )
    letters = _complete(declared, shape, dtype)
    return Axes(letters, is_guess=True, note=_guess_note(letters, shape))


def to_canonical(array: Any, *, axes: str) -> Any:
    """Return `array` as a 5-D TCZYX array: missing axes get length 1, samples (S) become channels.

    Works on anything with `transpose` and `reshape`; numpy and dask arrays are not copied unless C and S merge.
    """
    if array.ndim != len(axes):
        raise InputError(f"{array.ndim} axes in the array, but {len(axes)} letters in '{axes}'")
    order = [axes.index(letter) for letter in "TCSZYX" if letter in axes]
    lengths = sizes_of(array.shape, axes)
    return array.transpose(order).reshape(tuple(lengths[letter] for letter in CANONICAL))


def from_canonical(array: Any, *, axes: str) -> Any:
    """Return labels, (T, [1,] Z, Y, X), with the axes of `axes` that labels keep, in their order there."""
    if array.ndim == len(CANONICAL):
        if array.shape[1] != 1:
            raise InputError(f"labels have one channel, got {array.shape[1]}")
        array = array.reshape((array.shape[0], *array.shape[2:]))
    kept = [letter for letter in axes if letter in LABEL_LETTERS]
    lengths = dict(zip(LABEL_LETTERS, array.shape, strict=True))
    for letter, length in lengths.items():
        if letter not in kept and length != 1:
            raise InputError(f"labels have {length} planes along {letter}, an axis that '{axes}' lacks")
    order = [LABEL_LETTERS.index(letter) for letter in kept]
    dropped = [index for index in range(len(LABEL_LETTERS)) if index not in order]
    return array.transpose([*order, *dropped]).reshape(tuple(lengths[letter] for letter in kept))


def label_axes(axes: str) -> str:
    """Return the letters that a label map of an image with `axes` has, in canonical order: "YXS" -> "YX"."""
    return "".join(letter for letter in LABEL_LETTERS if letter in axes)


def sizes_of(shape: Sequence[int], axes: str) -> dict[str, int]:
    """Return the length of each canonical axis; 1 where absent; C counts channels times samples."""
    stored = dict(zip(axes, (int(length) for length in shape), strict=True))
    sizes = {letter: stored.get(letter, 1) for letter in CANONICAL}
    sizes["C"] *= stored.get("S", 1)
    return sizes


def _check_lengths(shape: tuple[int, ...]) -> None:
    if len(shape) < 2:
        raise InputError(f"an image needs at least 2 axes (Y, X), got shape {shape}")
    if 0 in shape:
        raise InputError(f"the image is empty: shape {shape} has an axis of length 0")


def _check_letters(letters: str, shape: tuple[int, ...], *, origin: str) -> str:
    letters = letters.strip().upper()
    advice = (
        f"use letters of {LETTERS}, one for each of the {len(shape)} axes of shape {shape}, e.g. '{_example(shape)}'"
    )
    if len(letters) != len(shape):
        raise InputError(f"{origin} axes '{letters}' are {len(letters)}, the array has {len(shape)}; {advice}")
    if _unknown_letters(letters) or len(set(letters)) != len(letters):
        raise InputError(f"{origin} axes '{letters}' have unknown or repeated letters; {advice}")
    if "Y" not in letters or "X" not in letters:
        raise InputError(f"{origin} axes '{letters}' lack Y or X; {advice}")
    return letters


def _example(shape: tuple[int, ...]) -> str:
    return CANONICAL[-len(shape) :] if len(shape) not in (3, 4) else {3: "ZYX", 4: "TZYX"}[len(shape)]


def _unknown_letters(letters: str) -> list[str]:
    return [letter for letter in letters if letter not in LETTERS]


def _guess(shape: tuple[int, ...], dtype: np.dtype[Any] | type | str | None) -> str:
    """Guess letters of an array that says nothing of itself; samples last, few channels before the planes."""
    has_samples = len(shape) > 2 and _looks_like_samples(shape, dtype)
    leading = shape[: -3 if has_samples else -2]
    match len(leading):
        case 0:
            front = ""
        case 1:
            front = "Z"
        case 2 if has_samples:
            front = "TZ"
        case 2:
            front = _guess_front_of_four(leading)
        case 3 if not has_samples:
            front = "TCZ" if leading[1] < leading[2] else "TZC"
        case _:
            raise InputError(
                f"{len(shape)} axes (shape {shape}) are too many; give at most 5, with letters of {LETTERS}"
            )
    return front + ("YXS" if has_samples else "YX")


def _guess_front_of_four(leading: tuple[int, ...]) -> str:
    first, second = leading
    if second <= _FEW_CHANNELS and second <= first:
        return "ZC"
    return "CZ" if first <= _FEW_CHANNELS else "TZ"


def _looks_like_samples(shape: tuple[int, ...], dtype: np.dtype[Any] | type | str | None) -> bool:
    is_colour_type = dtype is None or np.dtype(dtype).kind in "uf"
    return is_colour_type and 3 <= shape[-1] <= _MAX_SAMPLES and min(shape[-3:-1]) > _MAX_SAMPLES


def _is_ambiguous(letters: str) -> bool:
    return letters != "YX"


def _complete(declared: str, shape: tuple[int, ...], dtype: np.dtype[Any] | type | str | None) -> str:
    """Replace the letters of a file that mean nothing here by what the shape suggests, keeping the others."""
    if len(declared) != len(shape):
        return _guess(shape, dtype)
    free = [letter for letter in "ZTC" if letter not in declared]
    letters = list(declared)
    for index, letter in reversed(list(enumerate(declared))):
        if letter not in LETTERS:
            if not free:
                raise InputError(
                    f"the file's axes '{declared}' of shape {shape} are more than {LETTERS} can name; pass --axes"
                )
            letters[index] = free.pop(0)
    joined = "".join(letters)
    return joined if _is_usable(joined) else _guess(shape, dtype)


def _is_usable(letters: str) -> bool:
    return "Y" in letters and "X" in letters and len(set(letters)) == len(letters)


def _guess_note(letters: str, shape: tuple[int, ...]) -> str:
    """Say in a sentence what was taken for what."""
    if letters == "YX":
        return ""
    by_letter = dict(zip(letters, shape, strict=True))
    planes = f"{by_letter['Y']}x{by_letter['X']}"
    words = {"T": "time point", "Z": "plane", "C": "channel", "S": "colour sample"}
    counts = [counted(by_letter[letter], words[letter]) for letter in letters if letter in words]
    return f"{' x '.join(counts)} of {planes} without metadata: taken for {letters}; pass --axes to change"


def _contradiction_note(letters: str, declared: str | None, shape: tuple[int, ...]) -> str:
    """Say that the user's letters go against those of the file, if it has some; samples and channels are one."""
    said = (declared or "").upper()
    if len(said) != len(shape) or _unknown_letters(said) or not _is_usable(said):
        return ""
    if said.replace("S", "C") == letters.replace("S", "C"):
        return ""
    return f"the file says {said}, --axes says {letters}: using {letters}"


def _many_channels_note(letters: str, shape: tuple[int, ...]) -> str:
    by_letter = dict(zip(letters, shape, strict=True))
    count = by_letter.get("C", 1)
    if count < _MANY_CHANNELS or "Z" in letters or "T" in letters:
        return ""
    other = letters.replace("C", "Z")
    return f"the file declares {count} channels ({letters}); pass --axes {other} if they are slices"
