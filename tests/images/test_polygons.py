"""Outlines become pixels: hand-drawn cases, holes, the border of the image, and outlines that make no object."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import polygon

from napari_unetseg.images.polygons import (
    FEW_POINTS,
    IMPOSSIBLE,
    NO_PIXEL,
    OUTSIDE,
    OutlineError,
    Patch,
    fill,
    fill_ellipse,
)

SHAPE = (8, 9)


def square(x: float, y: float, edge: float) -> list[list[float]]:
    return [[x, y], [x + edge, y], [x + edge, y + edge], [x, y + edge]]


def drawn(patch: Patch, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    image = np.zeros(shape, bool)
    image[patch.region] = patch.mask
    return image


def test_whole_coordinates_are_corners_of_pixels() -> None:
    expected = np.zeros(SHAPE, bool)
    expected[2:5, 1:4] = True
    np.testing.assert_array_equal(drawn(fill([square(1, 2, 3)], shape=SHAPE)), expected)
    np.testing.assert_array_equal(drawn(fill([square(1, 2, 3)[::-1]], shape=SHAPE)), expected)
    flat = [number for point in square(1, 2, 3) for number in point]
    np.testing.assert_array_equal(drawn(fill([flat], shape=SHAPE)), expected)


def test_rings_are_parts_or_holes() -> None:
    rings = [square(0, 0, 5), square(1, 1, 3), square(6, 6, 1)]
    expected = np.zeros(SHAPE, bool)
    expected[:5, :5] = expected[6, 6] = True
    np.testing.assert_array_equal(drawn(fill(rings, shape=SHAPE)), expected)
    expected[1:4, 1:4] = False
    np.testing.assert_array_equal(drawn(fill(rings, shape=SHAPE, has_holes=True)), expected)


def test_rings_of_too_few_points_spoil_no_others() -> None:
    rings = [[[7, 7]], square(1, 2, 3), [0, 0, 8, 8], []]
    np.testing.assert_array_equal(drawn(fill(rings, shape=SHAPE)), drawn(fill([square(1, 2, 3)], shape=SHAPE)))
    with pytest.raises(OutlineError, match=FEW_POINTS):
        fill([[[7, 7]], [0, 0, 8, 8]], shape=SHAPE)


def test_what_lies_outside_is_cut_off() -> None:
    expected = np.zeros(SHAPE, bool)
    expected[:2, :3] = True
    np.testing.assert_array_equal(drawn(fill([square(-7, -8, 10)], shape=SHAPE)), expected)
    assert drawn(fill([square(-5, -5, 100)], shape=SHAPE)).all()


def test_outlines_that_share_edges_share_no_pixel_and_leave_none_out() -> None:
    middle = [3.7, 4.5]  # of a square cut into triangles; diagonals go through centres of pixels
    corners = square(0, 0, 8)
    triangles = [[corners[i], corners[(i + 1) % 4], middle] for i in range(4)]
    count = sum(drawn(fill([one], shape=(8, 8)), (8, 8)).astype(int) for one in triangles)
    assert (count == 1).all()


def test_the_reference_fills_alike() -> None:
    """Corners at random, so that no centre of a pixel lies on an edge."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        ring = rng.uniform(-3, 12, (rng.integers(3, 9), 2))
        expected = np.zeros(SHAPE, bool)
        expected[polygon(ring[:, 1] - 0.5, ring[:, 0] - 0.5, shape=SHAPE)] = True
        if expected.any():
            np.testing.assert_array_equal(drawn(fill([ring], shape=SHAPE)), expected)


def test_an_ellipse_is_where_its_box_is() -> None:
    patch = fill_ellipse(centre=(4.5, 4), radii=(2.5, 1), shape=SHAPE)
    assert (patch.y, patch.x, patch.mask.shape) == (3, 2, (2, 5))
    mask = drawn(patch)
    np.testing.assert_array_equal(mask, mask[::-1])
    np.testing.assert_array_equal(mask[:, 1:8], mask[:, 1:8][:, ::-1])
    assert drawn(fill_ellipse(centre=(0, 0), radii=(3, 3), shape=SHAPE))[:2, :2].all()


@pytest.mark.parametrize(
    ("ring", "reason"),
    [
        ([], FEW_POINTS),
        ([[1, 1], [3, 3]], FEW_POINTS),
        ([1, 1, 3, 3, 5], IMPOSSIBLE),
        ([[1, 1], [3, 3], [float("nan"), 2]], IMPOSSIBLE),
        ([[1, 1], [3, 3], [1e300, 2]], IMPOSSIBLE),
        ([[1, 1], [3, 3], ["a", 2]], IMPOSSIBLE),
        ([[1, 1], [3, 3], [10**400, 2]], IMPOSSIBLE),
        ([[1, 1], [3]], IMPOSSIBLE),
        ([[1, 1, 1], [3, 3, 3]], IMPOSSIBLE),
        (square(20, 1, 3), OUTSIDE),
        (square(1, -9, 9), OUTSIDE),
        (square(1.6, 1.6, 0.5), NO_PIXEL),
        ([[1, 1], [5, 5], [7, 7]], NO_PIXEL),
    ],
)
def test_outlines_that_make_no_object(ring: list[object], reason: str) -> None:
    with pytest.raises(OutlineError, match=reason):
        fill([ring], shape=SHAPE)


@pytest.mark.parametrize(
    ("centre", "radii", "reason"),
    [((1, 1), (0, 3), NO_PIXEL), ((-9, 1), (3, 3), OUTSIDE), ((float("inf"), 1), (3, 3), IMPOSSIBLE)],
)
def test_ellipses_that_make_no_object(centre: tuple[float, float], radii: tuple[float, float], reason: str) -> None:
    with pytest.raises(OutlineError, match=reason):
        fill_ellipse(centre=centre, radii=radii, shape=SHAPE)
