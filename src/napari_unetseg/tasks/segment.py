"""Segment an image: read, normalise, predict, decode, number, and hand over plane by plane (or volume by volume)."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from napari_unetseg.images import normalize
from napari_unetseg.images.axes import from_canonical
from napari_unetseg.images.budget import available_memory, readable
from napari_unetseg.images.large import DECODE_BYTES, frame_bytes
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.notes import sentences_of
from napari_unetseg.images.read import ImageSource, from_array
from napari_unetseg.images.rescale import scaled_shape
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.decode import decode
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, LabelsPart, Note
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import diameter as diameters
from napari_unetseg.tasks.classes import check_decoding
from napari_unetseg.tasks.findings import overgrown, start_findings
from napari_unetseg.tasks.frames import (
    Frame,
    choose_channels,
    frame_shape,
    frames_of,
    index_of,
    measure_frame,
    measure_stack,
)
from napari_unetseg.tasks.jobs import as_part, finish
from napari_unetseg.tasks.lattice import check_fits, lattice_of, seams
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.parts import region_of, tile_parts
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.recall import Recalled
from napari_unetseg.tasks.scaled import ScaledPredictor, copy_bytes, diameter_in, factor_of, scaled, sized
from napari_unetseg.tasks.volumes import model_for


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The result: labels in the order of the image's axes (none when a writer took them), and a row per object.

    A model of classes gives class ids, a row per class and time point, and in `objects` the number of classes found.
    """

    labels: np.ndarray | None
    objects: int
    table: pd.DataFrame
    seconds: float
    decoding: DecodingConfig
    """What the objects were decoded with: a measured diameter, and sizes that follow it, in the place of others."""


def segment(
    image: Any,
    *,
    model: str | Path | Model = "nuclei",
    axes: str | None = None,
    channels: Sequence[int] | None = None,
    tiling: TilingConfig | None = None,
    decoding: DecodingConfig | None = None,
    diameter: float | Literal["auto"] | None = None,
) -> np.ndarray:
    """Segment an array (numpy, dask, zarr) and return uint32 labels of the same axes, without channels.

    Labels are the ids of objects, or with a model of classes those of the classes.

    Parameters
    ----------
    image
        Anything with a shape, a dtype and slicing.
    model
        Name of a bundled or own model, a model file, or a loaded model.
    axes
        Letters of the axes, such as "ZYX" or "YXS"; none: guessed from the shape.
    channels
        Channels the model reads, in its order; needed when the image has more, unless it is grey saved in colour.
    tiling
        Tile, device and precision; none: chosen from the machine.
    decoding
        Thresholds and sizes; none: those of the model.
    diameter
        Typical diameter (px) of the objects in this image, which is scaled so that they have the size the model has
        learnt; "auto": measured; none: as `decoding` says.

    Raises
    ------
    InputError, ModelFileError, JobError
        With what is wrong and what to do.

    """
    loaded = model if isinstance(model, Model) else load_model(model)
    decoding = decoding or loaded.card.decoding
    if diameter is not None:
        decoding = with_diameter(decoding, diameter)
    job = run(from_array(image, axes=axes), model=loaded, tiling=tiling, decoding=decoding, channels=channels)
    labels = finish(job).labels
    assert labels is not None  # there is no writer
    return labels


def run(
    source: ImageSource,
    *,
    model: Model,
    tiling: TilingConfig | None = None,
    decoding: DecodingConfig | None = None,
    channels: Sequence[int] | None = None,
    writer: LabelWriter | None = None,
    preview: bool = False,
    predictor: Predictor | ScaledPredictor | Recalled | None = None,
) -> Generator[Event, None, Segmentation]:
    """Segment `source`, yielding at every tile; labels go to `writer`, or into memory without one.

    A 2D model runs over every plane of Z and time; ids are unique in the whole result. With `decoding.link_slices`
    objects of neighbouring planes that overlap get one id; with `decoding.three_axes` a 2D model is run on planes along
    all axes, and volumes are decoded. Memory holds one plane (3D: one volume) at a time.
    With `preview` labels are yielded as `LabelsPart`, first of each tile by itself, then of each plane or volume as
    they stay, and are not collected: the result has none. A `predictor` that is ready takes the place of a new one.
    """
    decoding = decoding or model.card.decoding
    check_decoding(model.card, decoding)
    model = model_for(source, model=model, decoding=decoding)
    given, channels = channels, choose_channels(source, model=model, channels=channels)
    if given is None and len(channels) < source.sizes["C"]:
        yield Note(f"{source.name}: its colours are equal, taken as grey")
    predictor = predictor or predictor_of(model, decoding=decoding, tiling=tiling)
    if isinstance(predictor, Predictor):
        decoding = yield from diameters.settle(
            source, model=model, predictor=predictor, channels=channels, decoding=decoding
        )
        decoding = sized(decoding, card=model.card, network=model.network)
        predictor = scaled(predictor, model=model, decoding=decoding)
    began = time.monotonic()
    tiling = None if isinstance(predictor, Recalled) else predictor.tiling
    yield from notes_of(source, model=model, decoding=decoding, tiling=tiling)
    frames = frames_of(source, ndim=model.card.network.ndim)
    shape = frame_shape(source, ndim=model.card.network.ndim)
    factor = predictor.factor if isinstance(predictor, ScaledPredictor) else 1.0
    _check_memory(shape, source=source, model=model, factor=factor, tiling=tiling)
    plan: Any = predictor.plan(shape)  # of the kind that this predictor takes
    total = len(frames) * len(plan.tiles)
    stretch = yield from as_part(
        measure_stack(source, frames=frames, channels=channels, model=model), item=source.name, total=total
    )
    out = None if writer or preview else np.zeros([source.sizes[letter] for letter in "TZYX"], np.uint32)
    found = start_findings(source, model=model, decoding=decoding, channels=channels)
    to_labels = partial(decode, config=decoding, target=model.card.target)
    unusable = 0
    for number, frame in enumerate(frames):
        raw = source.read(t=frame.t, z=frame.z, channels=channels)
        unusable += int(raw.size - np.isfinite(raw).sum()) if raw.dtype.kind == "f" else 0
        contrast = stretch or _contrast_of(source, raw, frame=frame, channels=channels, model=model)
        image = normalize.apply(raw, stretch=contrast)
        probability = np.empty((model.card.target.out_channels, *shape), np.float32)
        tiles: Generator[Event, None, Any] = predictor.predict(image, plan=plan, out=probability)
        if preview:
            tiles = tile_parts(
                tiles, probability, plan=plan, decode=to_labels, at=(frame.t, frame.z), first_id=found.next_id
            )
        yield from as_part(tiles, item=source.name, before=number * len(plan.tiles), total=total)
        labels = found.take(to_labels(probability), raw, probability, frame=frame)
        if preview:
            where = region_of(tuple(slice(0, length) for length in shape), at=(frame.t, frame.z))
            yield LabelsPart(where, labels, is_final=True, maps=probability)
        if writer is not None:
            writer.write(index_of(source, frame), labels)
        elif out is not None:
            out[frame.t, slice(None) if frame.z is None else frame.z] = labels
    if unusable:
        yield Note(f"{source.name}: {counted(unusable, 'pixel')} not finite (NaN or infinite), taken for dark")
    table = found.table()
    if not model.card.target.is_semantic and (how := overgrown(table, shape=shape)):
        yield Note(f"{source.name}: {how}")
    labels_out = None if out is None else from_canonical(out[:, None], axes=source.axes.letters)
    return Segmentation(labels_out, found.count, table, time.monotonic() - began, decoding)


def notes_of(
    source: ImageSource, *, model: Model, decoding: DecodingConfig, tiling: TilingConfig | None = None
) -> Iterator[Note]:
    """Yield, once each, the guesses taken about the image and what is easily misunderstood about the result.

    `tiling` is what the network runs with; none: it does not run.
    """
    told = sentences_of(source)
    has_objects = not model.card.target.is_semantic
    if has_objects and model.card.network.ndim == 2 and source.sizes["Z"] > 1 and not decoding.link_slices:
        told.append(
            "planes are segmented one by one, a cell has a number in each; --link or --three-axes makes 3D cells"
        )
    if decoding.three_axes and source.sizes["Z"] == 1:
        told.append(
            f"no Z axis (axes {source.axes.letters}), so segmented as a plane, though '{model.card.name}' usually "
            "looks along three axes; give its axes with --axes if it is a volume"
        )
    if how := diameters.sentence(model.card, diameter=diameter_in(decoding)):
        told.append(how)
    if tiling is not None and (how := _seams(source, model=model, decoding=decoding, tiling=tiling)):
        told.append(how)
    for text in told:
        yield Note(f"{source.name}: {text}")


def with_diameter(decoding: DecodingConfig, diameter: float | str) -> DecodingConfig:
    """Return the decoding with another diameter; `InputError` where that is none."""
    try:
        return decoding.replace(diameter=diameter)
    except ValueError as error:
        raise InputError(f"the diameter is a number of pixels above 0, or 'auto'; got {diameter!r}") from error


def _seams(source: ImageSource, *, model: Model, decoding: DecodingConfig, tiling: TilingConfig) -> str:
    factor = factor_of(model.card, diameter=diameter_in(decoding))
    shape = scaled_shape(frame_shape(source, ndim=model.card.network.ndim), factor=factor)
    return seams(model.network, lattice_of(model.network, tile=tiling.tile), shape=shape)


def _check_memory(
    shape: tuple[int, ...], *, source: ImageSource, model: Model, factor: float, tiling: TilingConfig | None
) -> None:
    """Refuse a plane (3D: a volume) that does not fit with its maps, before the first is read."""
    needed = frame_bytes(shape, channels=model.card.network.in_channels, maps=model.card.target.out_channels)
    needed += round(math.prod(shape) * copy_bytes(model.card, factor=factor))
    available = available_memory()
    if needed > available:
        what = "plane" if len(shape) == 2 else "volume"
        remedy = "close other programs or cut the image into smaller ones"
        if factor > 1:
            what, remedy = f"{what} enlarged to {factor:.2g}", f"{remedy}, or do not scale it (--diameter none)"
        raise InputError(
            f"{source.name}: a {what} of {' x '.join(map(str, shape))} needs about {readable(needed)} of memory, "
            f"{readable(available)} are free; {remedy}"
        )
    if tiling is not None:
        seen = scaled_shape(shape, factor=factor)
        kept = needed - math.prod(shape) * DECODE_BYTES  # the network is done before objects are made
        check_fits(model.network, tiling=tiling, shape=seen, free=available - kept, name=source.name)


def _contrast_of(
    source: ImageSource, raw: np.ndarray, *, frame: Frame, channels: Sequence[int], model: Model
) -> Stretch:
    """Return the contrast of a plane that was just read; of a cut-out, that of the planes it was cut from."""
    config = model.card.normalization
    if source.context is None:
        return normalize.measure([raw], config=config)
    return measure_frame(source, frame, channels=channels, config=config)
