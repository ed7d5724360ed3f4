"""Images written plane by plane: the same pixels, axes and type, and nothing left of an interrupted one."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.read import open_image
from napari_unetseg.images.stream import write_planes
from napari_unetseg.schema.errors import InputError

STACK = np.arange(2 * 3 * 5 * 7, dtype=np.uint16).reshape(2, 3, 5, 7)
ENDINGS = {"tiff": "x.tif", "zarr": "x.zarr"}


def planes(array: np.ndarray):
    return iter(array.reshape(-1, *array.shape[-2:]))


@pytest.mark.parametrize("format_", ENDINGS)
@pytest.mark.parametrize(
    ("axes", "array"), [("TZYX", STACK), ("ZYX", STACK[0]), ("TYX", STACK[:, 0]), ("YX", STACK[0, 0])]
)
def test_what_is_read_is_what_was_streamed(tmp_path, format_, axes, array):
    path = tmp_path / ENDINGS[format_]
    assert write_planes(path, planes(array), shape=array.shape, dtype="uint16", axes=axes, format=format_) == path
    source = open_image(path)
    assert (source.axes.letters, source.shape, source.dtype) == (axes, array.shape, np.uint16)
    whole = np.stack([source.read(t=t)[0] for t in range(source.sizes["T"])])
    np.testing.assert_array_equal(whole.reshape(array.shape), array)


@pytest.mark.parametrize("format_", ENDINGS)
def test_an_interrupted_stream_leaves_nothing(tmp_path, format_):
    def broken():
        yield STACK[0, 0]
        raise KeyboardInterrupt

    path = tmp_path / ENDINGS[format_]
    with pytest.raises(KeyboardInterrupt):
        write_planes(path, broken(), shape=(2, 5, 7), dtype="uint16", axes="ZYX", format=format_)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ENDINGS)
def test_what_exists_is_kept_unless_told(tmp_path, format_):
    path = tmp_path / ENDINGS[format_]
    options = {"shape": (5, 7), "dtype": "uint16", "axes": "YX", "format": format_}
    write_planes(path, planes(STACK[0, 0]), **options)
    with pytest.raises(InputError, match="exists"):
        write_planes(path, planes(STACK[0, 1]), **options)
    write_planes(path, planes(STACK[0, 1]), **options, overwrite=True)
    np.testing.assert_array_equal(open_image(path).read()[0, 0], STACK[0, 1])


@pytest.mark.parametrize("axes", ["CYX", "XY", "ZYX", "YXT"])
def test_axes_that_do_not_fit_are_refused(tmp_path, axes):
    with pytest.raises(InputError, match="axes"):
        write_planes(tmp_path / "x.tif", planes(STACK[0, 0]), shape=(5, 7), dtype="uint16", axes=axes)
