"""Decode kept maps with other settings: what is in view at once, or the whole result; the network does not run."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np

from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.join import link_slices
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, LabelsPart
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.parts import region_of
from napari_unetseg.tasks.recall import MapCache, Place, Recalled
from napari_unetseg.tasks.region import SAME
from napari_unetseg.tasks.segment import Segmentation, run


def refine_window(
    cache: MapCache,
    *,
    place: Place,
    window: tuple[slice, slice],
    model: Model,
    decoding: DecodingConfig,
    shown: np.ndarray,
    next_id: int,
) -> Generator[Event, None, int]:
    """Yield the labels of a window (rows, columns) of one frame; return how many objects it has.

    `shown` (T, Z, Y, X) are the labels as they are: objects that stay keep their ids, new ones count on
    from `next_id`.
    """
    maps = cache.frames[place]
    inside = (*(slice(0, length) for length in maps.shape[1:-2]), *window)
    labels = decode(maps[(slice(None), *inside)].astype(np.float32), config=decoding, target=model.card.target)
    region = region_of(inside, at=place)
    before = shown[region].reshape(labels.shape)
    labels, _ = link_slices(before, labels, overlap=SAME, next_id=next_id)
    yield LabelsPart(region, labels, is_final=True)
    return int(np.count_nonzero(np.bincount(labels.ravel())[1:]))


def refine_all(
    source: ImageSource, *, cache: MapCache, model: Model, decoding: DecodingConfig, channels: Sequence[int]
) -> Generator[Event, None, Segmentation]:
    """Segment `source` from its kept maps, all of which must be there."""
    # Nothing is predicted, so the contrast of the stack need not be measured.
    card = model.card.replace(normalization=model.card.normalization.replace(scope="plane"))
    recalled = Recalled(cache)
    return run(
        source, model=replace(model, card=card), decoding=decoding, channels=channels, preview=True, predictor=recalled
    )
