"""A new layer lies exactly on the one it was made from, and a view or a slice is found whatever its place."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_unetseg.schema.errors import InputError
from napari_unetseg.widgets import _layers

MOVED = {  # ways in which a layer of n axes can lie in the world
    "scaled": lambda n: {"scale": np.arange(1, n + 1) / 4, "translate": np.arange(n) * 10.0},
    "rotated": lambda n: {"scale": (2.0,) * (n - 2) + (0.5, 0.5), "rotate": 30.0 if n == 2 else _rotation(n)},
    "sheared": lambda n: {"shear": np.r_[np.zeros(n * (n - 1) // 2 - 1), 0.4], "translate": np.full(n, 3.0)},
    "affine": lambda n: {"affine": _affine(n), "scale": (2.0,) * n},
}


def _rotation(ndim: int) -> np.ndarray:
    """Turn the last two axes by 30 degrees."""
    matrix = np.eye(ndim)
    matrix[-2:, -2:] = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    return matrix


def _affine(ndim: int) -> np.ndarray:
    matrix = np.eye(ndim + 1)
    matrix[-3:-1, -3:-1] = [[0.8, -0.6], [0.6, 0.8]]
    matrix[:-1, -1] = np.arange(ndim) + 1.5
    return matrix


def image_layer(axes: str, *, moved: str | None = None) -> Image:
    lengths = {"T": 3, "C": 2, "Z": 4, "Y": 10, "X": 12, "S": 3}
    ndim = len(axes.replace("S", ""))
    place = MOVED[moved](ndim) if moved else {}
    return Image(np.zeros([lengths[letter] for letter in axes]), name="im", rgb="S" in axes, **place)


@pytest.mark.parametrize("moved", MOVED)
@pytest.mark.parametrize("axes", ["YX", "ZYX", "TZYX", "YXS", "CYX", "CZYX", "TZCYX", "ZTYX"])
def test_a_pixel_of_the_labels_lies_on_its_pixel_of_the_image(axes, moved) -> None:
    image = image_layer(axes, moved=moved)
    letters = axes.replace("S", "")
    kept = letters.replace("C", "")
    labels = Labels(np.zeros((2,) * len(kept), int), **_layers.placement(image, axes=axes, kept=kept))
    pixel = {letter: number + 1 for number, letter in enumerate(letters)}
    here = labels.data_to_world([pixel[letter] for letter in kept])
    there = image.data_to_world([0 if letter == "C" else pixel[letter] for letter in letters])
    expected = [value for letter, value in zip(letters, there, strict=True) if letter != "C"]
    np.testing.assert_allclose(here, expected, atol=1e-6)
    assert labels.axis_labels == tuple(kept.lower())


@pytest.mark.parametrize("moved", MOVED)
def test_one_plane_of_a_stack_and_a_part_of_it_lie_where_they_were(moved) -> None:
    image = image_layer("ZYX", moved=moved)
    place = _layers.shifted(_layers.placement(image, axes="ZYX"), (1, 2, 3))
    part = Labels(np.zeros((2, 5, 6), int), **place)
    np.testing.assert_allclose(part.data_to_world((0, 1, 1)), image.data_to_world((1, 3, 4)))
    plane = Labels(np.zeros((10, 12), int), **_layers.placement(image, axes="ZYX", kept="YX"))
    np.testing.assert_allclose(plane.data_to_world((2, 3)), image.data_to_world((0, 2, 3))[1:], atol=1e-6)


def test_units_come_along_and_pixel_sizes_are_read_in_micrometres() -> None:
    image = Image(np.zeros((3, 4, 8, 8)), scale=(60, 2000, 0.5, 0.25), units=("s", "nm", "um", "um"), name="im")
    place = _layers.placement(image, axes="TZYX")
    assert [str(unit) for unit in place["units"]] == ["second", "nanometer", "micrometer", "micrometer"]
    assert _layers.source_of(image, axes="TZYX").scale == pytest.approx({"Z": 2.0, "Y": 0.5, "X": 0.25})
    assert _layers.source_of(Image(np.zeros((8, 8)), scale=(3, 3))).scale == {}  # 3 of what is not known


@pytest.mark.parametrize(
    ("shape", "labels", "expected"),
    [
        ((8, 9), None, "YX"),
        ((5, 8, 9), ("z", "y", "x"), "ZYX"),
        ((5, 8, 9), ("t", "y", "x"), "TYX"),
        ((5, 8, 9), ("plane", "row", "col"), "ZYX"),  # no letters of ours: guessed
        ((5, 8, 9), ("y", "y", "x"), "ZYX"),
    ],
)
def test_axes_are_the_layers_own_letters_or_a_guess(shape, labels, expected) -> None:
    assert _layers.suggested_axes(Image(np.zeros(shape), axis_labels=labels)) == expected


def test_a_huge_or_multiscale_layer_is_not_computed() -> None:
    def refuse(block):
        raise AssertionError("computed")

    lazy = da.zeros((1000, 4096, 4096), chunks=(1, 4096, 4096), dtype=np.uint16).map_blocks(refuse, dtype=np.uint16)
    levels = [lazy, lazy[:, ::2, ::2]]
    layer = Image(levels, contrast_limits=(0, 1), multiscale=True, scale=(2, 1, 1), visible=False)
    assert _layers.data_of(layer) is layer.data[0]
    assert _layers.source_of(layer).shape == lazy.shape
    assert _layers.placement(layer, axes="ZYX")["scale"][0] == 2


def test_the_visible_field_is_clipped_to_the_image_and_never_empty() -> None:
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((50, 60)))
    layer.corner_pixels = np.array([[-5, 10], [20.4, 999]])
    assert _layers.visible(layer, axes="YX") == (slice(0, 22), slice(10, 60))
    layer.corner_pixels = np.array([[70, -9], [80, -3]])  # nothing of it is in sight
    rows, columns = _layers.visible(layer, axes="YX")
    assert (rows.stop - rows.start, columns.stop - columns.start) == (1, 1)


@pytest.mark.parametrize("axes", ["ZYX", "CZYX"])
def test_the_visible_field_of_a_multiscale_stack_is_in_pixels_of_the_finest_level(axes) -> None:
    shape = (2, 3, 400, 600)[-len(axes) :]
    data = np.zeros(shape)
    levels = [data, data[..., ::2, ::2], data[..., ::4, ::4]]
    viewer = ViewerModel()
    layer = viewer.add_image(
        levels, multiscale=True, scale=(1.0,) * (len(axes) - 2) + (0.5, 0.5), contrast_limits=(0, 1)
    )
    for level in (0, 1, 2):
        layer._data_level = level
        corners = np.zeros((2, len(axes)), int)
        corners[:, -2:] = np.array([[40, 80], [200, 320]]) // 2**level
        layer.corner_pixels = corners
        rows, columns = _layers.visible(layer, axes=axes)
        for side, (low, high) in ((rows, (40, 200)), (columns, (80, 320))):
            assert abs(side.start - low) < 2**level
            assert low < high <= side.stop <= high + 2 * 2**level


@pytest.mark.parametrize("rolled", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_rolled_axes_change_nothing_in_the_data(rolled) -> None:
    """E17: what is displayed is another pair of axes, what is read is not."""
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((4, 20, 30)), scale=(2.0, 0.5, 0.5))
    viewer.dims.order = rolled
    viewer.dims.ndisplay = 3
    assert _layers.suggested_axes(layer) == "ZYX"
    assert _layers.source_of(layer, axes="ZYX").shape == (4, 20, 30)
    rows, columns = _layers.visible(layer, axes="ZYX")
    assert rows.stop <= 20
    assert columns.stop <= 30


def test_the_current_slice_is_that_of_the_layer_not_of_the_viewer() -> None:
    viewer = ViewerModel()
    viewer.add_image(np.zeros((9, 8, 20, 20)))
    stack = viewer.add_image(np.zeros((5, 20, 20)), scale=(2.0, 1.0, 1.0), translate=(3.0, 0, 0))
    viewer.dims.set_point(1, 7.0)
    assert _layers.current(stack, axes="ZYX", viewer=viewer) == {"Z": 2}
    viewer.dims.set_point(1, 0.0)
    assert _layers.current(stack, axes="ZYX", viewer=viewer) == {"Z": 0}  # before its first slice
    assert _layers.current(viewer.layers[0], axes="TZYX", viewer=viewer) == {"T": 4, "Z": 0}


def test_a_result_is_found_by_what_it_is_never_by_its_name() -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.ones((4, 4), int), name="im labels")
    assert _layers.find_result(viewer, role="result", source="im") is None
    added = _layers.add_labels(
        viewer, np.ones((4, 4), int), name="im labels", place={}, facts={"role": "result", "source": "im"}
    )
    assert added.name == "im labels [1]"
    added.name = "mine now"
    assert _layers.find_result(viewer, role="result", source="im") is added
    assert _layers.find_result(viewer, role="preview", source="im") is None


def test_writing_into_a_layer_is_one_step_that_undo_takes_back() -> None:
    """E8."""
    viewer = ViewerModel()
    before = np.zeros((3, 8, 8), np.int32)
    before[1, 2:4, 2:4] = 7
    layer = viewer.add_labels(before.copy())
    result = np.arange(3 * 64).reshape(3, 8, 8)
    _layers.replace_labels(layer, result)
    np.testing.assert_array_equal(layer.data, result)
    layer.undo()
    np.testing.assert_array_equal(layer.data, before)
    layer.redo()
    np.testing.assert_array_equal(layer.data, result)
    with pytest.raises(InputError, match="shape"):
        _layers.replace_labels(layer, result[:2])


def test_many_objects_do_not_wrap_around_in_a_small_type() -> None:
    """E16: 300 objects written into uint8 would give object 300 the number 44."""
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((20, 20), np.uint8))
    with pytest.raises(InputError, match="uint8"):
        _layers.replace_labels(layer, np.arange(400).reshape(20, 20))
    assert layer.data.max() == 0
