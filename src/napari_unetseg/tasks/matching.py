"""Bring training images to the size of objects that the start model has learnt, so that it need not learn that anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from napari_unetseg.images.rescale import nearest, resample, scaled_shape
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.samples import Sample, diameter_of, median_size, prepare
from napari_unetseg.tasks.scaled import LARGEST, SMALLEST, factor_of


@dataclass(frozen=True, slots=True)
class Matched:
    """Samples as they are learnt, with the recipe whose decoding holds the objects' diameter in the image if scaled."""

    samples: Sequence[Sample]
    validation: Sequence[Sample] | None
    recipe: Recipe
    learnt: float | None = None
    """The diameter that the model goes on to know, where samples were scaled to it."""
    factor: float = 1.0

    @property
    def note(self) -> str:
        """What was done, in words; empty where nothing was."""
        if self.factor == 1:
            return ""
        how = "shrunk" if self.factor < 1 else "enlarged"
        return (
            f"the objects are {self.recipe.decoding.diameter:.3g} px wide, the model knows {self.learnt:.3g} px: "
            f"images and labels are {how} to {self.factor:.2g}"
        )


def match_sizes(
    samples: Sequence[Sample], *, validation: Sequence[Sample] | None, start: Model | None, recipe: Recipe
) -> Matched:
    """Scale the samples if their median object is of another size than the start model's.

    Without a start model, or a size that it knows, they stay as they are; also where they would have to be scaled
    beyond what prediction allows.
    """
    recipe = recipe.replace(decoding=recipe.decoding.replace(diameter=None))
    unchanged = Matched(samples, validation, recipe)
    if start is None or start.card.object_diameter is None or not recipe.match_size:
        return unchanged
    network = recipe.network
    checks: dict[str, Any] = {"ndim": network.ndim, "channels": network.in_channels, "config": recipe.normalization}
    samples = prepare(samples, **checks)
    diameter = round(diameter_of(median_size(samples), ndim=network.ndim), 1)
    learnt = start.card.object_diameter
    if not SMALLEST <= learnt / diameter <= LARGEST:
        return unchanged
    factor = factor_of(start.card, diameter=diameter)
    if factor == 1:
        return unchanged
    scaled = [match(sample, factor=factor) for sample in samples]
    held = [match(sample, factor=factor) for sample in prepare(validation, **checks)] if validation else validation
    decoding = recipe.decoding.replace(diameter=diameter)
    return Matched(scaled, held, recipe.replace(decoding=decoding), learnt, factor)


def match(sample: Sample, *, factor: float) -> Sample:
    """Return a sample with pixels of another size: intensities are averaged or interpolated, labels taken over."""
    if factor == 1:
        return sample
    shape = sample.labels.shape
    region = tuple(slice(0, edge) for edge in scaled_shape(shape, factor=factor))
    pixels = np.asarray(sample.image, np.float32)
    image = resample(pixels, region=region, shape=shape, start=(0,) * len(shape), factor=factor)
    size = None if sample.pixel_size is None else tuple(one / factor for one in sample.pixel_size)
    return replace(sample, image=image, labels=nearest(sample.labels, factor=factor), pixel_size=size)
