"""Outlines: on the rim of each object, neighbours in different colours."""

import numpy as np

from napari_unetseg.labels import outlines


def test_outlines_lie_on_the_rim_inside_the_object():
    labels = np.zeros((8, 8), np.uint32)
    labels[2:6, 2:6] = 1
    colours = np.array([(0, 0, 0), (255, 0, 0)], np.uint8)
    picture = outlines.outlined(np.zeros((8, 8), np.float32), labels, colours=colours)
    rim = labels > 0
    rim[3:5, 3:5] = False
    np.testing.assert_array_equal((picture == (255, 0, 0)).all(axis=-1), rim)


def test_magnified_pictures_keep_their_proportions():
    picture = outlines.outlined(
        np.zeros((6, 9), np.float32), np.zeros((6, 9), np.uint32), colours=outlines.COLOURS, zoom=3
    )
    assert picture.shape == (18, 27, 3)


def test_touching_objects_have_different_colours():
    labels = np.zeros((30, 30), np.uint32)
    for index, (y, x) in enumerate(((0, 0), (0, 10), (0, 20), (10, 0), (10, 10), (10, 20), (20, 10)), start=1):
        labels[y : y + 10, x : x + 10] = index * 6  # plain numbering modulo 6 would give all the same
    colours = outlines.distinct_colours(labels)[labels]
    for one, other, a, b in (
        (labels[1:], labels[:-1], colours[1:], colours[:-1]),
        (labels[:, 1:], labels[:, :-1], colours[:, 1:], colours[:, :-1]),
    ):
        border = (one != other) & (one > 0) & (other > 0)
        assert border.any()
        assert (a[border] != b[border]).any(axis=-1).all()


def test_stretch_ends_at_0_and_1_and_bears_nan():
    image = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    image[0, 0] = np.nan
    grey = outlines.stretch(image)
    assert (grey.min(), grey.max()) == (0, 1)
    assert np.isfinite(outlines.stretch(np.full((4, 4), np.nan))).all()
