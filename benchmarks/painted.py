"""Images of which only some cells are painted, and the recipe that the Train dock gives to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from napari_unetseg.labels.annotated import Painted, annotate, count_painted
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.samples import Sample
from napari_unetseg.tasks.start import fit_annotation, start_recipe, validation_share


def paint_nearest(labels: np.ndarray, *, count: int, centre: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the labels of the cells nearest to `centre`, as one who has zoomed in paints them; 0 elsewhere."""
    ids, centres = _cells(labels)
    order = np.argsort(((centres - np.asarray(centre)) ** 2).sum(1), kind="stable")
    return _only(labels, ids[order[:count]])


def paint_anywhere(labels: np.ndarray, *, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the labels of cells here and there, 0 elsewhere."""
    ids, _ = _cells(labels)
    return _only(labels, ids[rng.permutation(len(ids))[:count]])


def draw_painted(training: Sequence[Sample], *, count: int, seed: int) -> list[Sample]:
    """Return images with `count` painted cells in all; of what is not painted nothing is known.

    The cells lie around one of an image that the seed draws; where the image has too few, the next one follows.
    """
    rng = np.random.default_rng(seed)
    drawn: list[Sample] = []
    for index in rng.permutation(len(training)):
        sample = training[index]
        ids, centres = _cells(sample.labels)
        if not len(ids):
            continue
        painting = paint_nearest(sample.labels, count=count, centre=centres[rng.integers(len(ids))])
        drawn.append(replace(sample, labels=annotate(painting, zero_is_background=False)))
        count -= min(count, len(ids))
        if not count:
            return drawn
    raise SystemExit(f"the training images have {count} cells too few; ask for fewer --cells")


def count_all(samples: Sequence[Sample]) -> Painted:
    """Count the painted cells of all images; the share of the pixels is that of the image with the most."""
    counts = [count_painted(sample.labels) for sample in samples]
    return Painted(sum(one.objects for one in counts), max(one.share for one in counts))


def dock_recipe(samples: Sequence[Sample], *, card: ModelCard | None, zero_is_background: bool) -> Recipe:
    """Return what the Train dock begins with: defaults that suit the model, what 0 means and how much is painted."""
    usual = start_recipe(card, ndim=samples[0].labels.ndim, channels=len(samples[0].image))
    share = validation_share(images=len(samples), objects=count_all(samples).objects, share=usual.validation)
    recipe = fit_annotation(usual, zero_is_background=zero_is_background, is_from_scratch=card is None)
    return recipe.replace(validation=share)


def _cells(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids of the cells and their centres, `(n, ndim)`."""
    ids = np.unique(labels[labels > 0])
    return ids, np.array(ndimage.center_of_mass(labels > 0, labels, ids)).reshape(len(ids), labels.ndim)


def _only(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    return np.where(np.isin(labels, ids), labels, 0)
