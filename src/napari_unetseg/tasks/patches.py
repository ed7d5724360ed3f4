"""Training batches: patches drawn, augmented, turned into targets and weights; pure functions of (seed, step)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from napari_unetseg.images import normalize
from napari_unetseg.images.tiles import mirror
from napari_unetseg.labels.class_weights import balanced
from napari_unetseg.labels.ids import IGNORE, object_boxes
from napari_unetseg.labels.targets import BACKGROUND, Targets, make_targets
from napari_unetseg.labels.weights import weight_map
from napari_unetseg.networks import augment, registry
from napari_unetseg.schema.config import Recipe, TargetConfig
from napari_unetseg.tasks.classes import places_of_classes
from napari_unetseg.tasks.samples import INSTANCES, Sample, common_pixel_size, diameter_of, median_size
from napari_unetseg.tasks.start import patch_of
from napari_unetseg.tasks.streams import give_threads

PREFETCH = 3  # batches prepared ahead of the device
AROUND_OBJECT = 0.5  # share of the patches that hold an object for certain
AROUND_PAINTED = 0.9  # the same where 0 means "not annotated"
AROUND_KNOWN = 0.75  # the same in a partly painted image; the others hold a pixel known to be something
OBJECTS_ACROSS = 5  # of a patch whose size is not given
EDGES = {2: (128, 256), 3: (64, 128)}  # its smallest and largest edge, by dimensions
SEEING_WHOLE = 256
"""Smallest edge where the network looks at an image at once: what it makes of small patches, whose coarse maps are
mostly rim, does not hold for whole images (U2-Net, in `benchmarks/README.md` under "All architectures")."""
MARGIN = 0.2  # share of the patch read around it, so that rotation and shear rarely meet the mirrored rim


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors of one step: images `(N, C, ...)`; classes, distance (or none) and weights `(N, ...)`.

    `unknown` tells which pixels nobody has annotated, if there are some.
    """

    images: torch.Tensor
    classes: torch.Tensor
    distance: torch.Tensor | None
    weights: torch.Tensor
    unknown: torch.Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`."""
        distance, unknown = (None if one is None else one.to(device) for one in (self.distance, self.unknown))
        return Batch(self.images.to(device), self.classes.to(device), distance, self.weights.to(device), unknown)


def fit_patch(recipe: Recipe, *, samples: Sequence[Sample]) -> Recipe:
    """Return the recipe with patches that fit the samples and the network, unless it says how large they are."""
    if recipe.patch is not None:
        return recipe
    kind = registry.kind_of(recipe.network.architecture)
    least = kind.least_patch if kind.is_tile_exact else max(kind.least_patch, SEEING_WHOLE)
    step = registry.divisor(recipe.network)
    return recipe.replace(patch=choose_patch(samples, divisor=step, target=recipe.target, least=least))


def choose_patch(
    samples: Sequence[Sample], *, divisor: tuple[int, ...], target: TargetConfig = INSTANCES, least: int = 0
) -> tuple[int, ...]:
    """Return patch edges about five objects wide, as most images fill, in Z a quarter; multiples of `divisor`.

    No larger than that, nor than the network needs (`least`): small patches make many steps in the time there is. The
    labels must be compact. Classes tell nothing of a size: they get the largest patch.
    """
    size, ndim = median_size(samples), len(divisor)
    diameter = diameter_of(size, ndim=ndim)
    smallest, largest = EDGES[ndim]
    edge = max(least, largest if target.is_semantic else min(largest, max(smallest, OBJECTS_ACROSS * diameter)))
    typical = np.median([sample.labels.shape for sample in samples], axis=0)
    return tuple(
        min(length, step * max(1, int(size) // step))
        for length, size, step in zip(patch_of(edge, divisor=divisor), typical, divisor, strict=True)
    )


class PatchSampler:
    """Draws batches from samples; `batch(step)` gives the same tensors whenever and wherever it is called.

    Of each batch only the patches of the `share` are made.
    """

    def __init__(self, samples: Sequence[Sample], *, recipe: Recipe, share: slice = slice(None)) -> None:
        assert recipe.patch is not None, "choose_patch gives one"
        self.share = share
        self.samples = samples
        self.recipe = recipe
        self.patch = recipe.patch
        areas = np.sqrt([float(np.prod(sample.labels.shape)) for sample in samples])
        self.chances = areas / areas.sum()  # larger images more often, though less than their size says
        centres = places_of_classes if recipe.target.is_semantic else _centres
        self.objects = [centres(sample.labels) for sample in samples]
        self.known = [_known(sample.labels) for sample in samples]
        self.spacing = common_pixel_size(samples)
        self.class_weight = self._class_weight()

    def batch(self, step: int, *, device: torch.device | str = "cpu") -> Batch:
        """Return the batch of `step`; geometry and intensity are changed on `device`."""
        images, labels = self.draw(step, device=device)
        return self._with_targets(images, labels)

    def draw(self, step: int, *, device: torch.device | str = "cpu") -> tuple[torch.Tensor, np.ndarray]:
        """Return the augmented images `(N, C, ...)` and labels `(N, ...)` of `step`."""
        rng = np.random.default_rng([self.recipe.seed, step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        places = [self._place(rng) for _ in range(self.recipe.batch)]
        crops = [self._crop(index, where) for index, where in places[self.share]]
        images = torch.from_numpy(np.stack([image for image, _ in crops])).to(device)
        labels = torch.from_numpy(np.stack([labels for _, labels in crops])).to(device)
        config = self.recipe.augmentation
        parameters = augment.draw(config, batch=len(places), shape=self.patch, generator=generator)
        images, labels = augment.apply(images, labels, parameters.of(self.share), output_shape=self.patch)
        return images, labels.cpu().numpy()

    def _with_targets(self, images: torch.Tensor, labels: np.ndarray) -> Batch:
        """Targets and weights of the *warped* labels: a warped weight map would have wrong distances."""
        targets = [self._targets(entry) for entry in labels]
        config = self.recipe.pixel_weights
        weights = [
            weight_map(entry, targets=target, config=config, class_weight=self.class_weight, spacing=self.spacing)
            for entry, target in zip(labels, targets, strict=True)
        ]
        classes = np.stack([target.classes for target in targets])
        is_unknown = classes == IGNORE  # -1 is what a layer's unpainted pixels are read as
        if config.unlabelled:
            classes[is_unknown] = BACKGROUND
        distances = [target.distance for target in targets if target.distance is not None]
        return Batch(
            images=images,
            classes=torch.from_numpy(classes),
            distance=torch.from_numpy(np.stack(distances)) if distances else None,
            weights=torch.from_numpy(np.stack(weights)),
            unknown=torch.from_numpy(is_unknown) if is_unknown.any() else None,
        )

    def _targets(self, labels: np.ndarray) -> Targets:
        is_background = self.recipe.unlabelled_is_background
        return make_targets(
            labels, config=self.recipe.target, spacing=self.spacing, unlabelled_is_background=is_background
        )

    def _class_weight(self) -> np.ndarray:
        """w_c from the class frequencies of up to 32 images, as the recipe asks for.

        A class of labels may be in one image alone: then all images are counted, which is quickly done.
        """
        every = 1 if self.recipe.target.is_semantic else max(1, len(self.samples) // 32)
        counts = []
        for sample in self.samples[::every]:
            classes = self._targets(sample.labels).classes
            counts.append(np.bincount(classes[classes >= 0], minlength=self.recipe.target.class_count))
        return balanced(np.stack(counts), config=self.recipe.weights)

    def _place(self, rng: np.random.Generator) -> tuple[int, list[np.ndarray]]:
        """Draw an image, then a place in it: the pixels of a patch with its margin, along each axis."""
        index = int(rng.choice(len(self.samples), p=self.chances))
        sample = self.samples[index]
        centre = self._centre(index, rng)
        indices = []
        for axis, (size, edge) in enumerate(zip(sample.labels.shape, self.patch, strict=True)):
            start = int(rng.integers(min(0, size - edge), max(0, size - edge) + 1))
            if centre is not None:
                wanted = int(centre[axis]) - int(rng.integers(edge))
                start = min(max(wanted, min(0, size - edge)), max(0, size - edge))
            margin = round(MARGIN * edge)
            indices.append(mirror(np.arange(start - margin, start + edge + margin), length=size))
        return index, indices

    def _crop(self, index: int, indices: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        sample, where = self.samples[index], np.ix_(*indices)
        assert sample.stretch is not None  # given by samples.prepare
        crop = np.stack([channel[where] for channel in sample.image])
        return normalize.apply(crop, stretch=sample.stretch), sample.labels[where]

    def _centre(self, index: int, rng: np.random.Generator) -> np.ndarray | None:
        """Draw a pixel the patch is to hold: the middle of an object, or none for any place.

        In a partly painted image any annotated pixel takes the place of none, since elsewhere is nothing to learn.
        """
        centres, known = self.objects[index], self.known[index]
        chance = AROUND_OBJECT if self.recipe.unlabelled_is_background else AROUND_PAINTED
        if rng.random() < (chance if known is None else AROUND_KNOWN) and len(centres):
            chosen: np.ndarray = centres[rng.integers(len(centres))]
            return chosen
        if known is None:
            return None
        return np.array(np.unravel_index(known[rng.integers(len(known))], self.samples[index].labels.shape))


def _known(labels: np.ndarray) -> np.ndarray | None:
    """Return the flat indices of the annotated pixels where they are less than half of all, else none."""
    is_known = labels != IGNORE
    count = np.count_nonzero(is_known)
    return np.flatnonzero(is_known) if 0 < count < labels.size / 2 else None


def _centres(labels: np.ndarray) -> np.ndarray:
    """One pixel near the middle of each object's bounding box, `(n, ndim)`."""
    boxes = [box for box in object_boxes(np.maximum(labels, 0)) if box is not None]
    return np.array([[(entry.start + entry.stop) // 2 for entry in box] for box in boxes], int).reshape(-1, labels.ndim)


class Batches(Protocol):
    """Gives the batch of a step."""

    def batch(self, step: int, *, device: torch.device | str = "cpu") -> Batch:
        """Return the batch of `step`."""


def prefetch(sampler: Batches, *, start: int, device: torch.device) -> Iterator[Batch]:
    """Prepare batches in the background, a few ahead; each depends on its step alone, so a run can be resumed."""
    count = 1 if device.type == "cpu" else 2  # a CPU has better things to do
    with ThreadPoolExecutor(count, "unetseg patches") as pool:
        give_threads(pool, count=count, each=1)  # with more, all of them would halt the network's again and again
        waiting: list[Future[Batch]] = [
            pool.submit(sampler.batch, start + ahead, device=device) for ahead in range(PREFETCH)
        ]
        step = start
        try:
            while True:
                batch = waiting.pop(0).result()
                waiting.append(pool.submit(sampler.batch, step + PREFETCH, device=device))
                step += 1
                yield batch.to(device)
        finally:
            for future in waiting:  # nobody will use them
                future.cancel()
