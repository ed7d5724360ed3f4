"""What is shown is what training would use."""

from __future__ import annotations

import numpy as np
import pytest

from napari_unetseg.images.arrays import from_array
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks import preview
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.pairs import Pair, Pairs, Reading
from napari_unetseg.tasks.samples import Sample


def pairs_of(sample: Sample, **reading: bool) -> Pairs:
    return Pairs([Pair(from_array(sample.image[0], name="discs"), sample.labels)], reading=Reading(**reading))


def test_weights_are_high_between_cells_and_zero_where_nothing_is_known(samples: list[Sample], recipe: Recipe) -> None:
    touching = Sample(samples[0].image, np.zeros((64, 64), np.int32), "a")
    touching.labels[10:30, 10:20], touching.labels[10:30, 22:32] = 1, 2
    found = finish(preview.weights(pairs_of(touching), recipe=recipe, origin="discs", plane="discs"))
    assert found.shape == (64, 64)
    assert found[20, 21] > 5 * found[60, 60] > 0
    sparse = pairs_of(touching, zero_is_background=False)
    found = finish(preview.weights(sparse, recipe=recipe, origin="discs", plane="discs"))
    assert found[60, 60] == 0 < found[20, 21]


def test_a_plane_without_paint_has_no_weights_to_show(samples: list[Sample], recipe: Recipe) -> None:
    with pytest.raises(InputError, match="discs z7: nothing is annotated here"):
        finish(preview.weights(pairs_of(samples[0]), recipe=recipe, origin="discs", plane="discs z7"))


def test_sixteen_patches_in_a_square(samples: list[Sample], recipe: Recipe) -> None:
    grid = finish(preview.augmentation(pairs_of(samples[0]), recipe=recipe))
    edge = 4 * 48 + 3 * preview.GAP
    assert grid.image.shape == (1, edge, edge)
    assert grid.labels.shape == (edge, edge)
    is_bright = grid.image[0] > 0.5
    assert (is_bright == (grid.labels > 0)).mean() > 0.9


def test_ids_differ_from_patch_to_patch_and_volumes_show_their_middle() -> None:
    volume = np.zeros((3, 4, 4), int)
    volume[1, :2, :2] = 1
    grid = preview.make_grid([volume[None]] * 3, [volume] * 3)
    assert set(np.unique(grid.labels)) == {0, 1, 2, 3}
    assert grid.image.shape == (1, 4 + 4 + preview.GAP, 4 + 4 + preview.GAP)
