"""A survey lists objects per frame, and gives the same rows for a stack of planes as for the whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.tasks.test_compare import result_of

from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks import review
from napari_unetseg.tasks.review import survey


@pytest.mark.parametrize(
    ("axes", "rows"), [("TYX", [(0, 1, 12), (1, 1, 12), (1, 2, 4)]), ("ZYX", [(0, 1, 24), (0, 2, 4)])]
)
def test_frames_have_their_own_objects_and_planes_share_theirs(axes, rows):
    labels = np.zeros((2, 9, 9), np.uint16)
    labels[:, 1:4, 1:5] = 1
    labels[1, 6:8, 6:8] = 2
    table = result_of(survey(labels, axes=axes))
    assert list(table[["t", "label", "size"]].itertuples(index=False, name=None)) == rows
    assert table["doubt"].between(0, 1).all()


@pytest.mark.parametrize("pixels", [1, 20, 47, 10**6])
def test_bands_of_any_height_give_the_same_rows(pixels, monkeypatch):
    labels = np.kron(np.arange(1, 13).reshape(4, 3), np.ones((5, 3), np.int64))
    whole = result_of(survey(labels, axes="YX"))
    monkeypatch.setattr(review, "BAND", pixels)
    pd.testing.assert_frame_equal(result_of(survey(labels, axes="YX")), whole)


def test_a_mask_is_refused():
    with pytest.raises(InputError, match="boolean mask"):
        result_of(survey(np.ones((4, 4), bool), axes="YX"))
