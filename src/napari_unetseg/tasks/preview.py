"""What training sees, to look at: the weights of an image's pixels, and a grid of augmented patches."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_unetseg.labels.targets import make_targets
from napari_unetseg.labels.weights import weight_map
from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.tasks.classes import fit_classes
from napari_unetseg.tasks.pairs import Pairs
from napari_unetseg.tasks.patches import PatchSampler, fit_patch
from napari_unetseg.tasks.samples import Sample, prepare_for

PATCHES = 16
GAP = 4  # pixels between two patches


@dataclass(frozen=True, slots=True)
class Grid:
    """Patches side by side: image `(C, Y, X)`, and labels `(Y, X)`; ids of objects differ from patch to patch."""

    image: np.ndarray
    labels: np.ndarray


def weights(pairs: Pairs, *, recipe: Recipe, origin: str, plane: str = "") -> Generator[Event, None, np.ndarray]:
    """Return the weight of each pixel in the loss, of the sample `plane` (a name) or the first of image `origin`."""
    samples = yield from _ready(pairs, recipe=recipe)
    own = [sample for sample in samples if sample.origin == origin]
    chosen = next((sample for sample in own if sample.name == plane), None)
    if chosen is None:
        raise InputError(
            f"{plane or origin}: nothing is annotated here; paint some cells or go to a plane that has some"
        )
    sampler = _sampler(samples, recipe=recipe)
    yield Note(f"weighing {chosen.name}")
    targets = make_targets(
        chosen.labels,
        config=recipe.target,
        spacing=sampler.spacing,
        unlabelled_is_background=recipe.unlabelled_is_background,
    )
    return weight_map(
        chosen.labels,
        targets=targets,
        config=recipe.pixel_weights,
        class_weight=sampler.class_weight,
        spacing=sampler.spacing,
    )


def augmentation(pairs: Pairs, *, recipe: Recipe) -> Generator[Event, None, Grid]:
    """Return a grid of patches as the first steps of training would draw them."""
    samples = yield from _ready(pairs, recipe=recipe)
    sampler = _sampler(samples, recipe=recipe)
    images: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    step = 0
    while len(images) < PATCHES:
        drawn, painted = sampler.draw(step)
        images += list(drawn.numpy())
        labels += list(painted)
        step += 1
        yield Note("drawing patches")
    return make_grid(images[:PATCHES], labels[:PATCHES], has_objects=not recipe.target.is_semantic)


def make_grid(images: Sequence[np.ndarray], labels: Sequence[np.ndarray], *, has_objects: bool = True) -> Grid:
    """Lay patches (C, [Z,] Y, X) and labels ([Z,] Y, X) out in a square; of volumes the middle plane."""
    if labels[0].ndim == 3:
        middle = labels[0].shape[0] // 2
        images, labels = [image[:, middle] for image in images], [plane[middle] for plane in labels]
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    height, width = (length + GAP for length in labels[0].shape)
    image = np.zeros((len(images[0]), rows * height - GAP, columns * width - GAP), np.float32)
    ids = np.zeros(image.shape[1:], np.int32)
    highest = 0
    for index, (pixels, painted) in enumerate(zip(images, labels, strict=True)):
        top, left = (index // columns) * height, (index % columns) * width
        place = slice(top, top + height - GAP), slice(left, left + width - GAP)
        image[(slice(None), *place)] = pixels
        ids[place] = np.where(painted > 0, painted + highest, 0)
        if has_objects:  # the ids of classes stay
            highest = max(highest, int(ids[place].max()))
    return Grid(image, ids)


def _ready(pairs: Pairs, *, recipe: Recipe) -> Generator[Event, None, list[Sample]]:
    """Return the samples in their own pixels, also where training brings them to the start model's size."""
    samples = yield from pairs.load()
    return prepare_for(recipe, samples)


def _sampler(samples: Sequence[Sample], *, recipe: Recipe) -> PatchSampler:
    recipe = fit_classes(recipe, [sample.labels for sample in samples])
    return PatchSampler(samples, recipe=fit_patch(recipe, samples=samples))
