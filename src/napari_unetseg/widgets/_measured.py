"""The features of a Labels layer that we have measured follow the edits of its objects."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from napari.layers import Image, Labels

from napari_unetseg.labels.edit import Box
from napari_unetseg.labels.remeasure import Reader, remeasure, restored
from napari_unetseg.widgets import _layers
from napari_unetseg.widgets._review_list import Key, ReviewList, with_reviewed
from napari_unetseg.widgets._segment_result import features_of, table_of
from napari_unetseg.widgets._training_set import image_letters, misfit


def measure_again(
    layer: Labels,
    objects: ReviewList,
    keys: Iterable[Key],
    *,
    axes: str,
    frame_of: Callable[[int], np.ndarray],
    image: Image | None,
    known: pd.DataFrame,
) -> None:
    """Put these objects, as they are now, into the layer's features, unless those are not measurements of ours.

    `known` are the features before the edits: what an undo brings back is taken from there.
    """
    table, before = table_of(layer.features), table_of(known)
    if table is None or before is None or not {"area_px", "volume_px"} & set(table):
        return
    by_frame: dict[int, dict[int, Box | None]] = {}
    for t, label in keys:
        item = objects.items.get((t, label))
        by_frame.setdefault(t, {})[label] = item.box if item and item.is_there else None
    scale = _layers.pixel_size(layer, axes=axes)
    for t, boxes in by_frame.items():
        read = _reader(layer, image, axes=axes, t=t)
        table = remeasure(table, frame_of(t), boxes, scale=scale, t=t, read=read)
    features = features_of(restored(table, before))
    if "reviewed" in features:
        there = [(t, label) for t, boxes in by_frame.items() for label, box in boxes.items() if box is not None]
        features = with_reviewed(features, there, reviewed=objects.reviewed)
    layer.features = features


def _reader(layer: Labels, image: Image | None, *, axes: str, t: int) -> Reader | None:
    """Return what reads the image of the labels in a box; none where there is no image that fits."""
    if image is None or misfit(layer, image, axes=axes):
        return None
    source = _layers.source_of(image, axes=image_letters(image, axes))

    def read(box: Box) -> np.ndarray:
        depth = box[0] if len(box) == 3 else 0
        return source.read(t=t, z=depth, yx=(box[-2], box[-1]))

    return read
