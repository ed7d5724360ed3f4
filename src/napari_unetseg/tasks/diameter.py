"""Measure how large the objects of an image are, by trying the model at several scales on a part of it."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.images.rescale import resample, scaled_shape
from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.confidence import confidence
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, Note, TileDone
from napari_unetseg.tasks.frames import Frame, frame_shape, frames_of, measure_frame, read_window
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.samples import diameter_of
from napari_unetseg.tasks.scaled import LARGEST, SMALLEST, factor_of
from napari_unetseg.tasks.volumes import planes_of

FRAMES = 3
"""Planes (3D: volumes) that are looked at, evenly spread."""
EDGES = {2: (512, 512), 3: (32, 96, 96)}
"""Pixels that the network sees of all of them together at each scale."""
SHORTEST = {2: 64, 3: 32}
"""Edge in Y and X below which an image is not shrunk: too little would be left to judge by."""
FEWEST = 3
"""Objects in which a scale is believed."""
SURE = 0.8
"""Mean foreground probability of the objects from which another scale than 1 is believed."""
OCTAVE = 0.02
"""What each doubling or halving away from the size the model has learnt takes from the score."""
GAIN = 0.03
"""By how much the score must be better than that of the image as it is."""
PLAIN = 0.9
"""Mean foreground probability from which nothing else is tried, if the objects are within an octave of the model's."""
MEASURABLE = 2**24
"""Pixels of a frame up to which its contrast is measured on all of it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What the model finds at one scale: the score of that, and the objects' median diameter in the image (px)."""

    scale: float
    score: float
    diameter: float
    is_plain: bool = False
    """Whether the model is at home at this scale, so that no other needs to be tried."""


def settle(
    source: ImageSource,
    *,
    model: Model,
    predictor: Predictor,
    channels: Sequence[int],
    decoding: DecodingConfig,
) -> Generator[Event, None, DecodingConfig]:
    """Return the decoding with a measured diameter in the place of 'auto'; none where nothing is to be scaled.

    A 2D model that looks along three axes knows the size of outlines in a plane, so planes are measured.
    """
    if decoding.diameter != "auto":
        return decoding
    flat = planes_of(model)
    if flat is not model:
        model, predictor = flat, predictor_of(flat, decoding=decoding, tiling=predictor.tiling)
    diameter = yield from measure_diameter(source, model=model, predictor=predictor, channels=channels)
    return decoding.replace(diameter=diameter)


def measure_diameter(
    source: ImageSource, *, model: Model, predictor: Predictor, channels: Sequence[int]
) -> Generator[Event, None, float | None]:
    """Return the median diameter (px) of the objects; none where the image is best taken as it is.

    The image is taken as it is unless the model is clearly surer of what it finds at another scale, and with a note
    where the model knows no size that it could be brought to.
    """
    if model.card.object_diameter is None:
        yield Note(f"model '{model.card.name}' knows no size of objects: images are taken as they are")
        return None
    ndim = model.card.network.ndim
    frames = list(frames_of(source, ndim=ndim))
    chosen = [frames[index] for index in sorted({(2 * n + 1) * len(frames) // (2 * FRAMES) for n in range(FRAMES)})]
    parts = []
    for frame in chosen:
        yield TileDone(0, 1, source.name)  # reading may take a moment
        parts.append(_middle(source, frame, model=model, channels=channels, share=1 / len(chosen)))

    def attempt(scale: float) -> Generator[Event, None, Trial]:
        if scale < 1 and scale * min(parts[0].shape[-2:]) < SHORTEST[ndim]:
            return Trial(scale, -1.0, 0.0)
        return (yield from _try(parts, scale=scale, model=model, predictor=predictor, name=source.name))

    trials = [(yield from attempt(1.0))]
    if not trials[0].is_plain:
        trials += [(yield from attempt(0.5)), (yield from attempt(2.0))]
        best = max(trials, key=lambda one: one.score)
        if best.scale != 1:
            trials.append((yield from attempt(best.scale**2)))
    return choose(trials, card=model.card)


def choose(trials: Sequence[Trial], *, card: ModelCard) -> float | None:
    """Return the diameter that the best trial has found, none where that is the one at scale 1, the first."""
    best = max(trials, key=lambda one: one.score)
    if best.scale == 1 or best.score - trials[0].score <= GAIN:
        return None
    assert card.object_diameter is not None
    low, high = card.object_diameter / LARGEST, card.object_diameter / SMALLEST
    diameter = min(max(round(best.diameter, 1), low), high)
    is_alike = factor_of(card, diameter=diameter) == 1
    return None if is_alike else diameter


def sentence(card: ModelCard, *, diameter: float | None) -> str:
    """Say how an image with objects of this diameter is scaled; empty where it is not."""
    factor = factor_of(card, diameter=diameter)
    if factor == 1:
        return ""
    how = "shrunk" if factor < 1 else "enlarged"
    return f"objects are about {diameter:.3g} px wide: the image is {how} to {factor:.2g} for the network"


def _middle(source: ImageSource, frame: Frame, *, model: Model, channels: Sequence[int], share: float) -> np.ndarray:
    """Return the normalised middle of a frame, as much of it as the smallest scale has room for."""
    ndim = model.card.network.ndim
    window = _cut(frame_shape(source, ndim=ndim), scale=0.25, share=share)
    raw = read_window(source, frame, window=window, channels=channels)
    config, whole = model.card.normalization, source.context or source
    if math.prod(frame_shape(whole, ndim=ndim)) <= MEASURABLE:
        stretch = measure_frame(source, frame, channels=channels, config=config)
    else:
        stretch = normalize.measure([raw], config=config)
    return normalize.apply(raw, stretch=stretch)


def _cut(shape: tuple[int, ...], *, scale: float, share: float) -> tuple[slice, ...]:
    """Return the middle of an image: as many pixels as the network sees of it at this scale.

    Enlarged, those are hardly more than of the image as it is: many small images would take many times as long.
    """
    ndim = len(shape)
    most = (round(edge * share ** (1 / ndim)) for edge in EDGES[ndim])
    edges = [
        math.ceil((edge if scale < 1 else min(edge, max(edge // 2, length))) / scale)
        for edge, length in zip(most, shape, strict=True)
    ]
    starts = [max(0, (length - edge) // 2) for length, edge in zip(shape, edges, strict=True)]
    return tuple(
        slice(start, min(length, start + edge)) for start, length, edge in zip(starts, shape, edges, strict=True)
    )


def _try(
    parts: Sequence[np.ndarray], *, scale: float, model: Model, predictor: Predictor, name: str
) -> Generator[Event, None, Trial]:
    """Look for objects at one scale.

    One with too few scores below all others, but for the image as it is: a single cell is no reason to scale it.
    """
    card = model.card
    decoding = card.decoding.replace(min_confidence=0.0, diameter=None)
    sizes: list[np.ndarray] = []
    sure: list[np.ndarray] = []
    for part in parts:
        cut = _cut(part.shape[1:], scale=scale, share=1 / len(parts))
        image = _scaled(part[(slice(None), *cut)], factor=scale)
        maps = np.zeros((card.target.out_channels, *image.shape[1:]), np.float32)
        for _ in predictor.predict(image, out=maps):
            yield TileDone(0, 1, name)
        labels = decode(maps, config=decoding, target=card.target)
        sizes.append(np.bincount(labels.ravel())[1:])
        sure.append(confidence(labels, maps)[1:])
    pixels, means = np.concatenate(sizes), np.concatenate(sure)
    if len(pixels) < (1 if scale == 1 else FEWEST):
        return Trial(scale, -1.0, 0.0)
    diameter = diameter_of(float(np.median(pixels)), ndim=card.network.ndim)
    mean = float(np.average(means, weights=pixels))
    assert card.object_diameter is not None
    octaves = abs(math.log2(diameter / card.object_diameter))
    score = mean - OCTAVE * octaves if mean >= SURE or scale == 1 else -1.0
    is_plain = len(pixels) >= FEWEST and mean >= PLAIN and octaves <= 1
    return Trial(scale, score, diameter / scale, is_plain=is_plain)


def _scaled(image: np.ndarray, *, factor: float) -> np.ndarray:
    shape = image.shape[1:]
    region = tuple(slice(0, length) for length in scaled_shape(shape, factor=factor))
    return resample(image, region=region, shape=shape, start=(0,) * len(shape), factor=factor)
