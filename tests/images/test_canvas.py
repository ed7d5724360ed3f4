"""Objects painted one over the other: the later one wins, and what is covered is counted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.canvas import HIDDEN, Canvas
from napari_unetseg.images.polygons import Patch
from napari_unetseg.schema.errors import InputError

SIZES = {"T": 1, "C": 1, "Z": 1, "Y": 2, "X": 4}


def patch(start: int, stop: int) -> Patch:
    return Patch(0, start, np.ones((2, stop - start), bool))


def test_the_later_object_wins_and_shared_pixels_are_counted_once() -> None:
    canvas = Canvas(SIZES, name="a")
    for number, (start, stop) in enumerate([(0, 3), (2, 4), (2, 3)], start=1):
        canvas.paint(patch(start, stop), number=number)
    drawn = canvas.finish()
    np.testing.assert_array_equal(drawn.labels[0, 0], [[1, 1, 3, 2]] * 2)
    assert (drawn.shared, drawn.skipped) == (2, {})


def test_pixels_not_annotated_and_the_same_class_are_not_shared() -> None:
    canvas = Canvas(SIZES, name="a")
    for number, (start, stop) in [(-1, (0, 2)), (5, (1, 3)), (5, (2, 4))]:
        canvas.paint(patch(start, stop), number=number)
    drawn = canvas.finish()
    np.testing.assert_array_equal(drawn.labels[0, 0], [[-1, 5, 5, 5]] * 2)
    assert drawn.shared == 0


def test_what_is_hidden_or_skipped_is_counted() -> None:
    canvas = Canvas(SIZES, name="a")
    canvas.paint(patch(1, 2), number=1)
    canvas.paint(patch(0, 4), number=2)
    canvas.skip("point")
    canvas.skip("point")
    assert canvas.finish().skipped == {"point": 2, HIDDEN: 1}


def test_each_plane_is_painted_by_itself() -> None:
    canvas = Canvas({**SIZES, "T": 2, "Z": 3}, name="a")
    canvas.paint(patch(0, 1), number=7, at=(1, 2))
    labels = canvas.finish().labels
    assert labels[1, 2, 0, 0] == 7
    assert np.count_nonzero(labels) == 2


def test_other_sizes_and_stacks_are_refused() -> None:
    canvas = Canvas(SIZES, name="a.json")
    canvas.check_size(height=2, width=4)
    canvas.check_size(height=None, width=None)
    canvas.check_size(height=2.0, width=4.0)
    with pytest.raises(InputError, match=r"a\.json: annotated for 5.0 x 2.0 pixels"):
        canvas.check_size(height=2.0, width=5.0)
    with pytest.raises(InputError, match=r"a\.json: annotated for 5 x 2 pixels, but the image has 4 x 2"):
        canvas.check_size(height=2, width=5)
    with pytest.raises(InputError, match="of a single plane, the image has 1 time points and 3 planes"):
        Canvas({**SIZES, "Z": 3}, name="a").check_size(height=2, width=4)
