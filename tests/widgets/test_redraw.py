"""What was written into labels is shown as a refresh of the whole layer would show it, part by part."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_unetseg.widgets import _redraw
from napari_unetseg.widgets._redraw import Redraw

BOX = (slice(1, 2), slice(4, 16), slice(2, 9))


@pytest.fixture
def viewer() -> ViewerModel:
    """A stack of three empty planes, of which the second is shown."""
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((3, 20, 24), np.uint32), scale=(2, 0.5, 0.5), translate=(1, 2, 3))
    viewer.dims.set_point(0, 3)
    return viewer


def shown(layer) -> np.ndarray:
    return np.array(layer._slice.image.view)


def test_bands_are_shown_as_a_refresh_shows_them(viewer, monkeypatch) -> None:
    monkeypatch.setattr(_redraw, "BAND", 7 * 5)  # five rows
    layer, redraw = viewer.layers[0], Redraw()
    sent = []
    layer.events.labels_update.connect(lambda event: sent.append((event.data.shape, tuple(event.offset))))
    layer.data[BOX] = 70_000
    redraw.add(BOX)
    while redraw.show_next(layer):
        pass
    assert sent == [((5, 7), (4, 2)), ((5, 7), (9, 2)), ((2, 7), (14, 2))]
    before = shown(layer)
    assert before[4:16, 2:9].all()
    layer.refresh()
    np.testing.assert_array_equal(shown(layer), before)


def test_what_lies_in_another_plane_costs_nothing(viewer) -> None:
    layer, redraw = viewer.layers[0], Redraw()
    sent = []
    layer.events.labels_update.connect(sent.append)
    redraw.add((slice(2, 3), *BOX[1:]))
    assert not redraw.show_next(layer)
    assert not sent
    redraw.add((slice(0, 3), *BOX[1:]))
    redraw.show_next(layer)
    assert len(sent) == 1


@pytest.mark.parametrize("how", ["contour", "3d", "rolled"])
def test_where_parts_cannot_be_shown_all_is(viewer, how) -> None:
    layer, redraw = viewer.layers[0], Redraw()
    if how == "contour":
        layer.contour = 1
    elif how == "3d":
        viewer.dims.ndisplay = 3
    else:
        viewer.dims.order = (2, 0, 1)
        viewer.dims.set_point(2, 4)
    layer.data[BOX] = 5
    redraw.add(BOX)
    assert not redraw.show_next(layer)
    assert shown(layer).any()
