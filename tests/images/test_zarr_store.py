"""Zarr arrays and OME-Zarr images as lazy sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr

from napari_unetseg.images.read import find_images, open_image
from napari_unetseg.schema.errors import InputError

STACK = np.random.default_rng(0).integers(0, 999, (2, 3, 20, 30)).astype(np.uint16)
AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "nanometer"},
    {"name": "x", "type": "space", "unit": "parsec"},
]


def save_image(path: Path, *, zarr_format: Literal[2, 3], axes: Any = AXES) -> Path:
    group = zarr.open_group(str(path), mode="w", zarr_format=zarr_format)
    for name, data in (("0", STACK), ("1", STACK[..., ::2, ::2])):
        group.create_array(name, shape=data.shape, chunks=(1, 1, 16, 16), dtype=data.dtype)[:] = data
    datasets = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [1, 2.0, 250 * 2**level, 1]}]}
        for level in (0, 1)
    ]
    multiscales = [{"datasets": datasets, "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 1, 1]}]}]
    if axes is not None:
        multiscales[0]["axes"] = axes
    group.attrs.update({"multiscales": multiscales} if zarr_format == 2 else {"ome": {"multiscales": multiscales}})
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_finest_level_with_axes_and_scale(zarr_format: Literal[2, 3], tmp_path: Path) -> None:
    source = open_image(save_image(tmp_path / "a.zarr", zarr_format=zarr_format))
    assert source.axes.letters == "CZYX"
    assert not source.axes.is_guess
    assert source.scale == pytest.approx({"Z": 1.0, "Y": 0.25})  # a parsec is no length here
    np.testing.assert_array_equal(source.read(), STACK)
    region = source.read(z=1, channels=[1], yx=(slice(5, 20), slice(3, 28)))
    np.testing.assert_array_equal(region, STACK[1:, 1, 5:, 3:28])


def test_axes_as_plain_names_and_absent_axes(tmp_path: Path) -> None:
    named = open_image(save_image(tmp_path / "a.zarr", zarr_format=2, axes=["c", "z", "y", "x"]))
    assert (named.axes.letters, named.axes.is_guess) == ("CZYX", False)
    absent = open_image(save_image(tmp_path / "b.zarr", zarr_format=2, axes=None))
    assert (absent.axes.letters, absent.axes.is_guess) == ("CZYX", True)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_plain_array(zarr_format: Literal[2, 3], tmp_path: Path) -> None:
    array = zarr.create_array(str(tmp_path / "a.zarr"), data=STACK[0], zarr_format=zarr_format)
    source = open_image(tmp_path / "a.zarr")
    assert (source.axes.letters, source.axes.is_guess) == ("ZYX", True)
    array.attrs["_ARRAY_DIMENSIONS"] = ["time", "y", "x"]
    source = open_image(tmp_path / "a.zarr")
    assert (source.axes.letters, source.axes.is_guess) == ("TYX", False)
    assert open_image(tmp_path / "a.zarr", axes="CYX").sizes["C"] == 3
    np.testing.assert_array_equal(source.read(t=2)[0, 0], STACK[0, 2])


def test_group_of_one_array_is_opened_and_of_two_refused(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w")
    group.create_array("raw", data=STACK[0])
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").read()[0], STACK[0])
    group.create_array("other", data=STACK[0])
    with pytest.raises(InputError, match="other, raw"):
        open_image(tmp_path / "a.zarr")


def test_stores_are_found_as_images(tmp_path: Path) -> None:
    path = save_image(tmp_path / "a.ome.zarr", zarr_format=3)
    (tmp_path / "empty.zarr").mkdir()
    assert find_images([tmp_path]) == [path]
    assert find_images([path]) == [path]
    assert find_images([tmp_path / "*.zarr"]) == [path]


def test_first_image_of_a_converted_file(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    save_image(tmp_path / "a.zarr" / "0", zarr_format=2)
    np.testing.assert_array_equal(open_image(tmp_path / "a.zarr").read(), STACK)
