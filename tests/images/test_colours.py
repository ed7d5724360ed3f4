"""Masks in colours: tables from files, the colours of VOC, and colours that nobody has explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_unetseg.images.colours import colours_to_classes, read_colour_mask, read_colours, voc_table
from napari_unetseg.images.palette import voc_palette
from napari_unetseg.schema.errors import InputError

RED, GREEN, BLACK, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 0), (9, 9, 9)


def test_numbers_from_toml_and_names_from_json(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('"#FF0000" = 2\n"0, 255, 0" = 1\n"090909" = -1\n')
    table = read_colours(tmp_path / "a.toml")
    assert (table.numbers, table.names) == ({0: 0, 0xFF0000: 2, 0x00FF00: 1, 0x090909: -1}, ())
    (tmp_path / "a.json").write_text(
        '{"colours": {"#ff0000": "vesicle", "#00ff00": "membrane", "#000000": "membrane", "#090909": "Ignore"}}'
    )
    table = read_colours(tmp_path / "a.json")
    assert table.names == ("vesicle", "membrane")
    assert table.numbers == {0: 2, 0xFF0000: 1, 0x00FF00: 2, 0x090909: -1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"#ff0000" = 1\n"#00ff00" = "a"', "mixes names and numbers"),
        ('"red" = 1', "'red' is no colour"),
        ('"256,0,0" = 1', "is no colour"),
        ('"#ff0000" = 255', "stands for 255; give the number of a class"),
        ('"#ff0000" = true', "stands for True"),
        ('"#ff0000" = 1\n"255,0,0" = 2', "#ff0000 twice"),
        ("", "holds no colours"),
        ("nonsense", "is no table of colours"),
    ],
)
def test_tables_that_say_nothing_clear_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_colours(tmp_path / "a.toml")


def test_deeply_nested_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="is no table of colours"):
        read_colours(tmp_path / "a.json")


@pytest.mark.parametrize("name", ["mask.png", "mask.tif"])
def test_colours_become_classes(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.toml").write_text('"#ff0000" = 2\n"#00ff00" = 1\n')
    table = read_colours(tmp_path / "a.toml")
    pixels = np.array([[RED, GREEN, BLACK, RED, RED, RED]] * 6, np.uint8)
    if name.endswith("tif"):
        tifffile.imwrite(tmp_path / name, pixels, photometric="rgb")
    else:
        Image.fromarray(pixels).save(tmp_path / name)
    np.testing.assert_array_equal(read_colour_mask(tmp_path / name, table=table), [[2, 1, 0, 2, 2, 2]] * 6)


def test_the_colours_of_voc_go_back_to_their_indices() -> None:
    indices = np.arange(256).reshape(16, 16)
    classes = colours_to_classes(voc_palette()[indices], table=voc_table(), name="a.png")
    np.testing.assert_array_equal(classes, np.where(indices == 255, -1, indices))


def test_an_unknown_colour_is_named_with_its_place() -> None:
    pixels = np.array([[BLACK, BLACK], [BLACK, GREY]], np.uint8)
    with pytest.raises(InputError, match=r"a\.png: the colour #090909 at row 1, column 1 \(1 pixel\) is not among"):
        colours_to_classes(pixels, table=voc_table(), name="a.png")


def test_deep_colours_and_transparency_are_refused() -> None:
    for pixels in (np.zeros((2, 2, 3), np.uint16), np.zeros((2, 2, 4), np.uint8)):
        with pytest.raises(InputError, match="8 bits"):
            colours_to_classes(pixels, table=voc_table(), name="a.png")


def test_numbers_are_no_colours(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('"#ff0000" = 1\n"#090909" = 2\n')
    table = read_colours(tmp_path / "a.toml")
    numbers = np.array([[0, 1, 2]] * 3)
    for kind in (np.int64, np.uint8, np.float32):
        np.save(tmp_path / "a.npy", numbers.astype(kind))
        what = rf"a\.npy: holds one number per pixel \(type {np.dtype(kind)}, [0.]+ to [2.0]+\), not colours; leave "
        with pytest.raises(InputError, match=what):
            read_colour_mask(tmp_path / "a.npy", table=table)
    for greys, classes in (([0, 9, 9], [0, 2, 2]), ([0, 0, 0], [0, 0, 0])):
        np.save(tmp_path / "a.npy", np.array([greys] * 3, np.uint8))
        np.testing.assert_array_equal(read_colour_mask(tmp_path / "a.npy", table=table), [classes] * 3)
    np.save(tmp_path / "a.npy", np.array([[0, 9, 1]] * 3, np.uint8))
    with pytest.raises(InputError, match="the colour #010101 at row 0, column 2"):
        read_colour_mask(tmp_path / "a.npy", table=table)
