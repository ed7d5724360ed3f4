"""Annotated images for training: checking them, holding some back for validation, and what can be told of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.labels.classes import as_classes
from napari_unetseg.labels.ids import IGNORE, compact, object_boxes
from napari_unetseg.labels.scattered import describe_scattered, is_scattered
from napari_unetseg.schema.config import NormalizationConfig, Recipe, TargetConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.classes import check_tellable

INSTANCES = TargetConfig()
MIN_SIZE, MIN_SEED = 1 / 8, 1 / 20  # of the median object; tuning on two data sets gave 12 % and 5-6 %
MIN_STRIP = 32  # pixels; a narrower strip of the only image would say little about it
MIN_OBJECTS = 10  # in the only image, before the strip is moved to where some of them are


@dataclass(frozen=True, slots=True)
class Sample:
    """An image `(C, [Z,] Y, X)` of any real dtype with its labels `([Z,] Y, X)`; 0 background, -1 ignored.

    Labels are the ids of objects, or of classes where the target is 'semantic'.

    `stretch` is the normalisation of the stack the image was taken from; none: measured on the image itself.
    `origin` names that stack, whose planes resemble each other and are never split between training and validation.
    `pixel_size` is in µm, per axis of the labels. `window` is the part of the image that this is; none: all of it.
    """

    image: np.ndarray
    labels: np.ndarray
    name: str
    stretch: Stretch | None = None
    origin: str = ""
    pixel_size: tuple[float, ...] | None = None
    window: tuple[slice, ...] | None = None


def prepare_for(recipe: Recipe, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples as `prepare` does, checked for what the recipe learns."""
    network = recipe.network
    ready = prepare(
        samples,
        ndim=network.ndim,
        channels=network.in_channels,
        config=recipe.normalization,
        target=recipe.target,
    )
    if recipe.target.is_semantic:
        check_tellable([sample.labels for sample in ready], zero_is_background=recipe.unlabelled_is_background)
    return ready


def prepare(
    samples: Sequence[Sample],
    *,
    ndim: int,
    channels: int,
    config: NormalizationConfig,
    target: TargetConfig = INSTANCES,
) -> list[Sample]:
    """Check the samples and give each int32 labels and a stretch; the arrays given are not changed.

    The ids of objects become compact, those of classes stay.
    """
    if not samples:
        raise InputError("nothing to train on: no pair of image and labels was given")
    prepared = []
    for sample in samples:
        if sample.image.ndim != ndim + 1 or sample.image.shape[0] != channels:
            raise InputError(
                f"{sample.name}: the network reads {counted(channels, 'channel')} and {ndim} spatial axes, "
                f"got shape {sample.image.shape} (channels first); choose channels or another network"
            )
        if sample.image.shape[1:] != sample.labels.shape:
            raise InputError(
                f"{sample.name}: image {sample.image.shape[1:]} and labels {sample.labels.shape} differ in shape; "
                "both must show the same pixels"
            )
        stretch = sample.stretch or normalize.measure([sample.image], config=config)
        prepared.append(replace(sample, labels=_labels_of(sample, target=target), stretch=stretch))
    painted = [sample for sample in prepared if _has_objects([sample])]
    if not painted:
        raise InputError("nothing to learn: every label map is empty; paint some objects, each with its own number")
    if not target.is_semantic:
        _check_objects(painted)
    return prepared


def _labels_of(sample: Sample, *, target: TargetConfig) -> np.ndarray:
    if target.is_semantic:
        return as_classes(sample.labels, count=target.classes, name=sample.name)
    return compact(sample.labels, name=sample.name)[0]


def _check_objects(painted: Sequence[Sample]) -> None:
    """Refuse masks and classes, whose numbers stand for many objects each."""
    if what := describe_scattered([is_scattered(sample.labels) for sample in painted]):
        raise InputError(
            f"{painted[0].name}: every label map holds {what}; learn classes (--target semantic, in the dock 'Labels "
            "are: classes'), or give every object its own number first, for example with skimage.measure.label"
        )


def split(samples: Sequence[Sample], *, fraction: float, seed: int) -> tuple[list[Sample], list[Sample], str]:
    """Hold back whole images for validation; return training, validation, what was done.

    Of the only image, or where a whole one would be more than twice the share, a strip is held back.
    """
    samples = list(samples)
    if fraction == 0:
        return samples, [], "no validation: the last weights are kept"
    origins = sorted({_origin(sample) for sample in samples})
    if len(origins) == 1:
        return _split_region(samples, fraction=fraction, which="the only image")
    painted = {_origin(sample) for sample in samples if _has_objects([sample])}
    order = [origins[index] for index in np.random.default_rng(seed).permutation(len(origins))]
    order.sort(key=lambda origin: origin not in painted)  # an empty image says nothing about a network
    wanted = fraction * len(origins)
    if wanted < 0.5:
        one, others = ([s for s in samples if (_origin(s) == order[0]) == is_one] for is_one in (True, False))
        part, strip, how = _split_region(one, fraction=wanted, which=f"one of {len(origins)} images, {order[0]},")
        if strip:
            return [*others, *part], strip, how
    held = set(order[: max(1, round(wanted))])
    training = [sample for sample in samples if _origin(sample) not in held]
    validation = [sample for sample in samples if _origin(sample) in held]
    if not _has_objects(training):
        return samples, [], "no validation: the labelled images are too few to hold one back; the last weights are kept"
    return training, validation, f"held back for validation: {len(held)} of {len(origins)} images"


def _origin(sample: Sample) -> str:
    return sample.origin or sample.name


def image_count(samples: Sequence[Sample]) -> int:
    """Count the images that the samples, which may be planes of a stack, were taken from."""
    return len({_origin(sample) for sample in samples})


def _has_objects(samples: Sequence[Sample]) -> bool:
    return any(sample.labels.max(initial=0) > 0 for sample in samples)


def _split_region(samples: list[Sample], *, fraction: float, which: str) -> tuple[list[Sample], list[Sample], str]:
    """Hold back the same strip of every plane, since planes of one stack show the same objects."""
    labels = samples[0].labels
    axis = int(np.argmax(labels.shape[-2:])) + labels.ndim - 2
    length = labels.shape[axis]
    cut = length - round(fraction * length)
    if not _has_objects([_part(sample, _along(axis, slice(cut, length))) for sample in samples]):
        cut = _cut_before_some(samples, axis=axis, fraction=fraction, otherwise=cut)
    training = [_part(sample, _along(axis, slice(0, cut))) for sample in samples]
    held = [_part(sample, _along(axis, slice(cut, length))) for sample in samples]
    if length - cut < MIN_STRIP:
        return samples, [], f"no validation: {which} is too small to hold a part back; the last weights are kept"
    if not _has_objects(held) or not _has_objects(training):
        return (
            samples,
            [],
            f"no validation: too few objects in {which} to hold some back; the last weights are kept",
        )
    return training, held, f"the last {length - cut} pixels of {which} are held back for validation"


def _cut_before_some(samples: Sequence[Sample], *, axis: int, fraction: float, otherwise: int) -> int:
    """Return where to cut so that a share of the objects lies behind, if there are enough for that."""
    starts = [
        box[axis].start for sample in samples for box in object_boxes(np.maximum(sample.labels, 0)) if box is not None
    ]
    if len(starts) < MIN_OBJECTS:
        return otherwise
    return int(np.quantile(starts, 1 - fraction, method="lower"))


def _part(sample: Sample, where: tuple[slice, ...]) -> Sample:
    return replace(sample, image=sample.image[(slice(None), *where)], labels=sample.labels[where], window=where)


def renew(old: Sequence[Sample], fresh: Sequence[Sample]) -> list[Sample]:
    """Return `fresh` in the place of `old`: of each image the same part, so what was held back stays held back.

    A plane that was empty before joins the others of its stack.
    """
    windows = {_origin(sample): sample.window for sample in old}
    kept = [sample for sample in fresh if _origin(sample) in windows]
    parts = [(sample, windows[_origin(sample)]) for sample in kept]
    return [sample if window is None else _part(sample, window) for sample, window in parts]


def crop_to_known(sample: Sample, *, margin: int = 32) -> Sample:
    """Return the smallest box of the sample that holds every pixel not ignored, with some surroundings."""
    is_known = sample.labels != IGNORE
    if is_known.all() or not is_known.any():
        return sample
    spans = [
        np.flatnonzero(is_known.any(axis=tuple(set(range(is_known.ndim)) - {axis}))) for axis in range(is_known.ndim)
    ]
    return _part(sample, tuple(slice(max(0, int(span[0]) - margin), int(span[-1]) + 1 + margin) for span in spans))


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


def median_size(samples: Sequence[Sample]) -> float:
    """Return the median number of pixels of the labelled objects, 0 without any."""
    counts = [np.bincount(np.maximum(sample.labels, 0).ravel())[1:] for sample in samples]
    sizes = np.concatenate([count[count > 0] for count in counts])
    return float(np.median(sizes)) if len(sizes) else 0.0


def diameter_of(size: float, *, ndim: int) -> float:
    """Return the diameter of the disc (3D: ball) of so many pixels."""
    return 2 * math.sqrt(size / math.pi) if ndim == 2 else 2 * math.cbrt(0.75 * size / math.pi)


def fit_sizes(decoding: DecodingConfig, training: Sequence[Sample]) -> DecodingConfig:
    """Return the decoding with sizes that follow the labelled objects: what is far smaller is debris, or a speck."""
    size = median_size(training)
    return decoding.replace(min_size=round(size * MIN_SIZE), min_seed=round(size * MIN_SEED))


def common_pixel_size(samples: Sequence[Sample]) -> tuple[float, ...] | None:
    """Return the median pixel size (µm) per axis, or none where a sample does not know its own."""
    sizes = [sample.pixel_size for sample in samples if sample.pixel_size is not None]
    if not samples or len(sizes) < len(samples):
        return None
    return tuple(float(size) for size in np.median(sizes, axis=0))


def fingerprint(samples: Sequence[Sample]) -> str:
    """Return the SHA-256 over shapes, dtypes and values of all images and labels."""
    digest = hashlib.sha256()
    for sample in samples:
        for array in (sample.image, sample.labels):
            digest.update(f"{array.shape}{array.dtype.str}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
