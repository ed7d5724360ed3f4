"""A simulated membrane stain is bright around cells and dark in and between them."""

from __future__ import annotations

import numpy as np

from napari_unetseg.images.membranes import stain_membranes


def two_cells() -> np.ndarray:
    """Two squares of 20 pixels that touch, in 40 x 60."""
    labels = np.zeros((40, 60), np.uint32)
    labels[10:30, 10:30], labels[10:30, 30:50] = 1, 2
    return labels


def test_rims_are_bright_and_so_is_the_wall_between_two_cells():
    image = stain_membranes(two_cells(), rng=np.random.default_rng(0)).astype(float)
    inside, outside, rim, wall = image[18:22, 18:22], image[:4], image[10, 12:28], image[12:28, 29:31]
    assert rim.mean() > 2 * inside.mean()
    assert wall.mean() > 2 * inside.mean()
    assert inside.mean() > outside.mean() > 100


def test_the_same_seed_gives_the_same_image_and_no_cell_gives_background():
    once, again = (stain_membranes(two_cells(), rng=np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    empty = stain_membranes(np.zeros((30, 30), np.uint32), rng=np.random.default_rng(0))
    assert empty.dtype == np.uint16
    assert abs(empty.mean() - 120) < 2
