"""The list follows the viewer, and the choice stays with its layer."""

from __future__ import annotations

import numpy as np
from napari.components import ViewerModel
from napari.layers import Labels

from napari_unetseg.widgets._layer_choice import LayerChoice


def test_a_layer_stays_chosen_when_it_is_renamed_moved_or_joined_by_others(qtbot):
    viewer = ViewerModel()
    first = viewer.add_labels(np.zeros((4, 4), int), name="a")
    choice = LayerChoice(viewer, Labels)
    qtbot.addWidget(choice)
    told = []
    choice.changed.connect(told.append)
    viewer.add_image(np.zeros((4, 4)))
    second = viewer.add_labels(np.zeros((4, 4), int), name="b")
    first.name = "c"
    choice.reset_choices()
    assert [choice.itemText(i) for i in range(choice.count())] == ["b", "c"]
    assert choice.value() is first
    assert told == []
    viewer.layers.remove(first)
    choice.reset_choices()
    assert choice.value() is second
    viewer.layers.clear()
    choice.reset_choices()
    assert choice.value() is None
    assert told == [second, None]


def test_layers_that_are_not_accepted_are_left_out(qtbot):
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((4, 4), int), name="mine")
    viewer.add_labels(np.zeros((4, 4), int), name="not this")
    choice = LayerChoice(viewer, Labels, none_word="none", accepts=lambda layer: layer.name == "mine")
    qtbot.addWidget(choice)
    assert [choice.itemText(i) for i in range(choice.count())] == ["none", "mine"]
    assert choice.value() is None
