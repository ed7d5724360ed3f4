"""Objects that are odd in shape or size come first; round ones last."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.labels.doubt import describe_objects, describe_one, plane_moments, shape_doubt


def disc(shape, *, centre, radius, stretch=1.0):
    rows, columns = np.indices(shape)
    return ((rows - centre[0]) / radius) ** 2 + ((columns - centre[1]) / (radius * stretch)) ** 2 <= 1


@pytest.fixture
def labels():
    """1 round, 2 long, 3 a dumbbell of two discs, 4 cut by the border, 5 a speck."""
    labels = np.zeros((64, 96), np.int32)
    labels[disc(labels.shape, centre=(14, 14), radius=9)] = 1
    labels[disc(labels.shape, centre=(14, 50), radius=6, stretch=2.5)] = 2
    labels[disc(labels.shape, centre=(46, 20), radius=8) | disc(labels.shape, centre=(46, 35), radius=8)] = 3
    labels[disc(labels.shape, centre=(46, 96), radius=9)] = 4
    labels[30:32, 70:72] = 5
    return labels


def test_the_moments_give_place_size_and_border(labels):
    table = describe_objects([plane_moments(labels)], shape=labels.shape).set_index("label")
    assert table["size"].to_dict() == {one: int((labels == one).sum()) for one in range(1, 6)}
    assert table.loc[1, ["centroid_y", "centroid_x"]].tolist() == [14, 14]
    assert table.loc[1, ["y_min", "y_max", "x_min", "x_max"]].tolist() == [5, 24, 5, 24]
    assert table["touches_border"].tolist() == [False, False, False, True, False]


def test_ellipses_of_any_length_fill_theirs_and_a_dumbbell_does_not(labels):
    fill = describe_objects([plane_moments(labels)], shape=labels.shape).set_index("label")["fill"]
    assert fill[1] > 0.97
    assert fill[2] > 0.97
    assert fill[3] < 0.93


def test_the_odd_ones_come_first(labels):
    table = describe_objects([plane_moments(labels)], shape=labels.shape)
    doubt = shape_doubt(*(table[name].to_numpy() for name in ("size", "fill", "touches_border")))
    order = table["label"].to_numpy()[np.argsort(-doubt)].tolist()
    assert order[0] == 5
    assert order.index(3) < min(order.index(1), order.index(2))
    assert ((doubt >= 0) & (doubt <= 1)).all()


def test_planes_add_up_to_the_volume():
    z, y, x = np.indices((13, 15, 17))
    ball = (((z - 6) / 6) ** 2 + ((y - 7) / 6) ** 2 + ((x - 8) / 6) ** 2 <= 1).astype(np.int32) * 70000
    table = describe_objects([plane_moments(plane, z=i) for i, plane in enumerate(ball)], shape=ball.shape)
    assert table["label"].tolist() == [70000]
    assert table.loc[0, "size"] == (ball > 0).sum()
    assert table.loc[0, ["centroid_z", "centroid_y", "centroid_x"]].tolist() == [6, 7, 8]
    assert table.loc[0, ["z_min", "z_max"]].tolist() == [0, 13]
    assert table.loc[0, "fill"] > 0.95


def test_no_object_gives_no_row():
    table = describe_objects([plane_moments(np.zeros((4, 4), np.uint8))], shape=(4, 4))
    assert len(table) == 0
    assert "fill" in table
    assert shape_doubt(table["size"], table["fill"], table["touches_border"]).shape == (0,)


def test_one_object_measured_alone_has_the_row_it_has_among_others(labels):
    table = describe_objects([plane_moments(labels)], shape=labels.shape).set_index("label")
    for label, row in table.iterrows():
        box = tuple(slice(int(row[f"{axis}_min"]), int(row[f"{axis}_max"])) for axis in "yx")
        alone = describe_one(labels, label, box=box)
        assert alone["touches_border"] == row["touches_border"]
        for name in ("size", "fill", "centroid_y", "centroid_x", "y_min", "y_max", "x_min", "x_max"):
            assert alone[name] == pytest.approx(row[name])
