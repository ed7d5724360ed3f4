"""Objects come in the order asked for, and the list follows edits and undo."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.tasks.test_compare import result_of

from napari_unetseg.widgets._review_list import read_list, with_reviewed


@pytest.fixture
def labels():
    """1: 9 px inside, 2: 16 px at the border, 3: 4 px inside."""
    labels = np.zeros((20, 20), np.int32)
    labels[3:6, 3:6] = 1
    labels[0:4, 10:14] = 2
    labels[10:12, 10:12] = 3
    return labels


def read(labels, axes="YX", **columns):
    return result_of(read_list(labels, axes=axes, features=pd.DataFrame(columns)))


def test_orders(labels):
    objects = read(labels)
    assert objects.ordered("smallest") == [(0, 3), (0, 1), (0, 2)]
    assert objects.ordered("largest") == [(0, 2), (0, 1), (0, 3)]
    assert objects.ordered("border") == [(0, 2)]
    assert not objects.from_confidence


def test_confidence_decides_where_the_layer_has_it(labels):
    objects = read(labels, index=[3, 2], confidence=[0.1, 0.99], reviewed=[True, False])
    assert objects.from_confidence
    assert objects.ordered("doubt")[0] == (0, 3)
    assert objects.items[0, 2].doubt == pytest.approx(0.01)
    assert objects.reviewed == {(0, 3)}
    assert (objects.done, objects.total) == (1, 3)


def test_what_was_removed_comes_back_with_undo(labels):
    objects = read(labels)
    before = objects.items[0, 1]
    labels[labels == 1] = 0
    objects.look_again([(0, 1)], lambda t: labels)
    assert objects.total == 2
    assert (0, 1) not in objects.ordered("doubt")
    labels[3:6, 3:6] = 1
    labels[15, 15] = 9
    objects.look_again([(0, 1), (0, 9)], lambda t: labels)
    assert objects.items[0, 1].box == before.box
    assert objects.total == 4
    assert objects.highest == 9


def test_accepting_adds_a_column_and_missing_rows_and_keeps_the_others():
    features = pd.DataFrame({"index": [1, 2], "area": [9.0, 16.0]})
    after = with_reviewed(features, [(0, 2), (0, 3)], reviewed={(0, 2), (0, 3)})
    assert after["index"].tolist() == [1, 2, 3]
    assert after["reviewed"].tolist() == [False, True, True]
    assert after["area"].tolist()[:2] == [9.0, 16.0]
    assert "reviewed" not in features
    assert with_reviewed(pd.DataFrame(), [(0, 4)], reviewed={(0, 4)})["index"].tolist() == [4]


def test_frames_are_told_apart_where_the_features_name_them():
    labels = np.zeros((2, 8, 8), np.uint8)
    labels[:, 2:4, 2:4] = 1
    objects = read(labels, axes="TYX", index=[1, 1], t=[0, 1], reviewed=[False, True])
    assert objects.reviewed == {(1, 1)}
    features = with_reviewed(pd.DataFrame({"index": [1, 1], "t": [0, 1]}), [(1, 1)], reviewed={(1, 1)})
    assert features["reviewed"].tolist() == [False, True]
