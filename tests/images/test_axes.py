"""Axis letters: resolution, the way to TCZYX and back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_unetseg.images.axes import CANONICAL, from_canonical, label_axes, resolve_axes, sizes_of, to_canonical
from napari_unetseg.schema.errors import InputError


@pytest.mark.parametrize(
    ("shape", "letters"),
    [
        ((64, 64), "YX"),
        ((3, 64, 64), "ZYX"),
        ((64, 64, 3), "YXS"),
        ((64, 64, 4), "YXS"),
        ((64, 64, 5), "ZYX"),
        ((3, 3, 3), "ZYX"),
        ((9, 64, 64, 3), "ZYXS"),
        ((9, 2, 64, 64), "ZCYX"),
        ((2, 9, 64, 64), "CZYX"),
        ((9, 8, 64, 64), "TZYX"),
        ((5, 2, 9, 64, 64), "TCZYX"),
        ((5, 9, 2, 64, 64), "TZCYX"),
        ((5, 9, 64, 64, 3), "TZYXS"),
    ],
)
def test_guess_from_shape_alone(shape: tuple[int, ...], letters: str) -> None:
    axes = resolve_axes(shape, declared=None, requested=None, dtype=np.uint8)
    assert axes.letters == letters
    assert axes.is_guess == (len(shape) > 2)
    assert ("--axes" in axes.note) == axes.is_guess


def test_note_is_the_promised_sentence() -> None:
    note = resolve_axes((3, 64, 48), declared=None, requested=None).note
    assert note == "3 planes of 64x48 without metadata: taken for ZYX; pass --axes to change"


def test_signed_integers_are_never_colours() -> None:
    assert resolve_axes((64, 64, 3), declared=None, requested=None, dtype=np.int32).letters == "ZYX"


def test_request_wins_over_declaration_over_guess() -> None:
    assert resolve_axes((4, 8, 8), declared="CYX", requested=None) == resolve_axes(
        (4, 8, 8), declared=None, requested="cyx"
    )
    assert resolve_axes((4, 8, 8), declared="CYX", requested="TYX").letters == "TYX"
    assert resolve_axes((4, 8, 8), declared="CYX", requested="TYX").is_guess is False


@pytest.mark.parametrize(
    ("declared", "letters"),
    [
        ("IYX", "ZYX"),
        ("QYX", "ZYX"),
        ("ZQYX", "ZTYX"),
        ("QZYX", "TZYX"),
        ("QQYX", "TZYX"),
        ("CQYX", "CZYX"),
        ("QYXS", "ZYXS"),
    ],
)
def test_unknown_letters_of_a_file_are_guesses(declared: str, letters: str) -> None:
    axes = resolve_axes((5, 6, 8, 7)[-len(declared) :], declared=declared, requested=None)
    assert (axes.letters, axes.is_guess) == (letters, True)


def test_many_declared_channels_are_pointed_out() -> None:
    axes = resolve_axes((8, 64, 64), declared="CYX", requested=None)
    assert axes.letters == "CYX"
    assert "--axes ZYX" in axes.note
    assert resolve_axes((4, 64, 64), declared="CYX", requested=None).note == ""


@pytest.mark.parametrize("requested", ["ZYX", "YY", "YQ", "ZX", "", "CT"])
def test_impossible_requests_are_refused(requested: str) -> None:
    with pytest.raises(InputError, match="YX"):
        resolve_axes((8, 9), declared=None, requested=requested)


@pytest.mark.parametrize("shape", [(8,), (), (0, 8), (2,) * 6])
def test_impossible_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError):
        resolve_axes(shape, declared=None, requested=None)


@pytest.mark.parametrize("axes", ["".join(letters) for letters in itertools.permutations("TCZYX")][::7])
def test_canonical_order_whatever_the_storage(axes: str) -> None:
    canonical = np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6)
    stored = canonical.transpose([CANONICAL.index(letter) for letter in axes])
    result = to_canonical(stored, axes=axes)
    np.testing.assert_array_equal(result, canonical)
    assert np.shares_memory(result, canonical)


@pytest.mark.parametrize("axes", ["YX", "XY", "ZYX", "YXZ", "TYX", "XYZT", "ZTYX"])
def test_labels_return_to_the_axes_they_came_from(axes: str) -> None:
    stored = np.arange(120)[: np.prod([2, 3, 4, 5][: len(axes)])].reshape([2, 3, 4, 5][: len(axes)])
    np.testing.assert_array_equal(from_canonical(to_canonical(stored, axes=axes), axes=axes), stored)


def test_samples_become_channels_and_labels_lose_them() -> None:
    image = np.arange(24).reshape(2, 4, 3)  # (Y, X, S)
    canonical = to_canonical(image, axes="YXS")
    assert canonical.shape == (1, 3, 1, 2, 4)
    np.testing.assert_array_equal(canonical[0, 1, 0], image[..., 1])
    assert from_canonical(canonical[:, :1], axes="YXS").shape == (2, 4)
    assert sizes_of((5, 2, 4, 3), "CYXS") == {"T": 1, "C": 15, "Z": 1, "Y": 2, "X": 4}
    assert to_canonical(np.zeros((5, 2, 4, 3)), axes="CYXS").shape == (1, 15, 1, 2, 4)


def test_from_canonical_refuses_what_it_would_lose() -> None:
    with pytest.raises(InputError, match="planes along Z"):
        from_canonical(np.zeros((1, 3, 4, 4)), axes="YX")
    with pytest.raises(InputError, match="channel"):
        from_canonical(np.zeros((1, 2, 1, 4, 4)), axes="YX")
    with pytest.raises(InputError, match="letters"):
        to_canonical(np.zeros((4, 4)), axes="ZYX")


@pytest.mark.parametrize(("axes", "expected"), [("TCZYX", "TZYX"), ("YXS", "YX"), ("XYZ", "ZYX"), ("CYX", "YX")])
def test_label_axes(axes: str, expected: str) -> None:
    assert label_axes(axes) == expected


@pytest.mark.parametrize(
    ("declared", "note"),
    [
        ("ZYX", "the file says ZYX, --axes says TYX: using TYX"),
        ("tyx", ""),
        ("QYX", ""),
        ("YX", ""),
        (None, ""),
    ],
)
def test_a_request_against_the_file_is_told(declared: str | None, note: str) -> None:
    axes = resolve_axes((4, 8, 8), declared=declared, requested="tyx")
    assert (axes.letters, axes.note) == ("TYX", note)


def test_samples_and_channels_are_no_contradiction() -> None:
    assert resolve_axes((8, 8, 3), declared="YXS", requested="YXC").note == ""
