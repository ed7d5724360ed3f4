"""Segment an image: read, normalise, predict, decode, number, and hand over plane by plane (or volume by volume)."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_unetseg.images import normalize
from napari_unetseg.images.axes import from_canonical
from napari_unetseg.images.budget import available_memory, readable
from napari_unetseg.images.grey import is_grey
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.notes import sentences_of
from napari_unetseg.images.read import ImageSource, from_array
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.measure import measure_objects, merge_planes
from napari_unetseg.schema.config import DecodingConfig, TilingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, LabelsPart, Note, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.jobs import as_part, finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.numbering import Numbering
from napari_unetseg.tasks.parts import region_of, tile_parts
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.recall import Recalled

DECODE_BYTES = 32  # per pixel: seeds, pieces, landscape and labels while maps become objects


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The result: labels in the order of the image's axes (none when a writer took them), and a row per object."""

    labels: np.ndarray | None
    objects: int
    table: pd.DataFrame
    seconds: float


@dataclass(frozen=True, slots=True)
class _Frame:
    """A part the network sees at once: a plane of a stack, or with a 3D network (`z` none) a whole volume."""

    t: int
    z: int | None


def segment(
    image: Any,
    *,
    model: str | Path | Model = "nuclei",
    axes: str | None = None,
    channels: Sequence[int] | None = None,
    tiling: TilingConfig | None = None,
    decoding: DecodingConfig | None = None,
) -> np.ndarray:
    """Segment an array (numpy, dask, zarr) and return uint32 labels of the same axes, without channels.

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

    Raises
    ------
    InputError, ModelFileError, JobError
        With what is wrong and what to do.

    """
    loaded = model if isinstance(model, Model) else load_model(model)
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
    predictor: Predictor | Recalled | None = None,
) -> Generator[Event, None, Segmentation]:
    """Segment `source`, yielding at every tile; labels go to `writer`, or into memory without one.

    A 2D model runs over every plane of Z and time; ids are unique in the whole result. With `decoding.link_slices`
    objects of neighbouring planes that overlap get one id. Memory holds one plane (3D: one volume) at a time.
    With `preview` labels are yielded as `LabelsPart`, first of each tile by itself, then of each plane or volume as
    they stay, and are not collected: the result has none. A `predictor` that is ready takes the place of a new one.
    """
    began = time.monotonic()
    decoding = decoding or model.card.decoding
    given, channels = channels, choose_channels(source, model=model, channels=channels)
    if given is None and len(channels) < source.sizes["C"]:
        yield Note(f"{source.name}: its colours are equal, taken as grey")
    predictor = predictor or Predictor(model.network, target=model.card.target, tiling=tiling)
    yield from _notes(source, model=model, decoding=decoding)
    frames = list(_frames(source, ndim=model.card.network.ndim))
    shape = _frame_shape(source, ndim=model.card.network.ndim)
    _check_memory(shape, source=source, model=model)
    plan = predictor.plan(shape)
    total = len(frames) * len(plan.tiles)
    stretch = yield from as_part(
        _stretch(source, frames=frames, channels=channels, model=model), item=source.name, total=total
    )
    out = None if writer or preview else np.zeros([source.sizes[letter] for letter in "TZYX"], np.uint32)
    numbering, to_labels = Numbering(decoding), partial(decode, config=decoding, target=model.card.target)
    tables, unusable = [], 0
    for number, frame in enumerate(frames):
        raw = source.read(t=frame.t, z=frame.z, channels=channels)
        unusable += int(raw.size - np.isfinite(raw).sum()) if raw.dtype.kind == "f" else 0
        image = normalize.apply(
            raw, stretch=stretch or _stretch_of_plane(source, raw, frame=frame, channels=channels, model=model)
        )
        probability = np.empty((model.card.target.out_channels, *shape), np.float32)
        tiles: Generator[Event, None, Any] = predictor.predict(image, plan=plan, out=probability)
        if preview:
            tiles = tile_parts(
                tiles, probability, plan=plan, decode=to_labels, at=(frame.t, frame.z), first_id=numbering.objects + 1
            )
        yield from as_part(tiles, item=source.name, before=number * len(plan.tiles), total=total)
        labels = numbering.number(to_labels(probability), is_next_slice=bool(frame.z))
        if preview:
            where = region_of(tuple(slice(0, length) for length in shape), at=(frame.t, frame.z))
            yield LabelsPart(where, labels, is_final=True, maps=probability)
        tables.append(_measure(labels, raw, probability, frame=frame, source=source, channels=channels))
        if writer is not None:
            writer.write(_index(source, frame), labels)
        elif out is not None:
            out[frame.t, slice(None) if frame.z is None else frame.z] = labels
    if unusable:
        yield Note(f"{source.name}: {counted(unusable, 'pixel')} not finite (NaN or infinite), taken for dark")
    table = pd.concat(tables, ignore_index=True)
    if decoding.link_slices and source.sizes["Z"] > 1 and model.card.network.ndim == 2:
        table = merge_planes(table, scale=source.scale)
    labels_out = None if out is None else from_canonical(out[:, None], axes=source.axes.letters)
    return Segmentation(labels_out, numbering.objects, table, time.monotonic() - began)


def _notes(source: ImageSource, *, model: Model, decoding: DecodingConfig) -> Iterator[Note]:
    """Yield, once each, the guesses taken about the image and what is easily misunderstood about the result."""
    told = sentences_of(source)
    if model.card.network.ndim == 2 and source.sizes["Z"] > 1 and not decoding.link_slices:
        told.append("planes are segmented one by one, a cell has a number in each; --link joins them into 3D cells")
    for text in told:
        yield Note(f"{source.name}: {text}")


def choose_channels(source: ImageSource, *, model: Model, channels: Sequence[int] | None) -> list[int]:
    """Return the image channels the model is to read; `InputError` rather than a guess where several choices exist."""
    available, wanted = source.sizes["C"], model.card.network.in_channels
    names = ", ".join(model.card.channels)
    if channels is None:
        if available == wanted:
            return list(range(wanted))
        if wanted == 1 and is_grey(source):
            return [0]
        raise InputError(
            f"{source.name}: read as {source.axes.letters}, the image has {counted(available, 'channel')}"
            f"{_colours(source)}, model '{model.card.name}' reads {wanted} ({names}); choose with --channel, "
            f"e.g. --channel {','.join(map(str, range(wanted)))}, or correct the axes with --axes, e.g. --axes ZYX"
        )
    if len(channels) != wanted:
        raise InputError(
            f"model '{model.card.name}' reads {counted(wanted, 'channel')} ({names}), got {len(channels)} to read"
        )
    for index in channels:
        if not 0 <= index < available:
            raise InputError(f"{source.name}: there is no channel {index}; the image has channels 0..{available - 1}")
    return list(channels)


def _colours(source: ImageSource) -> str:
    return " (0 red, 1 green, 2 blue)" if "S" in source.axes.letters else ""


def _frames(source: ImageSource, *, ndim: int) -> Iterator[_Frame]:
    if ndim == 3 and source.sizes["Z"] == 1:
        raise InputError(
            f"{source.name}: this is a 3D model and the image has no Z axis (axes {source.axes.letters}); "
            "give its axes with --axes, or take a 2D model"
        )
    for t in range(source.sizes["T"]):
        for z in range(source.sizes["Z"]) if ndim == 2 else [None]:
            yield _Frame(t, z)


def _frame_shape(source: ImageSource, *, ndim: int) -> tuple[int, ...]:
    return tuple(source.sizes[letter] for letter in "ZYX"[3 - ndim :])


def _check_memory(shape: tuple[int, ...], *, source: ImageSource, model: Model) -> None:
    """Refuse a plane (3D: a volume) that does not fit with its maps, before the first is read."""
    needed = math.prod(shape) * (
        4 * (model.card.target.out_channels + 2 * model.card.network.in_channels) + DECODE_BYTES
    )
    available = available_memory()
    if needed > available:
        what = "plane" if len(shape) == 2 else "volume"
        raise InputError(
            f"{source.name}: a {what} of {' x '.join(map(str, shape))} needs about {readable(needed)} of memory, "
            f"{readable(available)} are free; close other programs or cut the image into smaller ones"
        )


def _stretch(
    source: ImageSource, *, frames: Sequence[_Frame], channels: Sequence[int], model: Model
) -> Generator[Event, None, Stretch | None]:
    """Measure the whole stack, or none when every plane is to be stretched on its own; yields at each plane."""
    config, whole = model.card.normalization, source.context or source
    if config.scope == "plane" and model.card.network.ndim == 2:
        return None
    steps = normalize.measure_stepwise(
        (whole.read(t=frame.t, z=frame.z, channels=channels) for frame in frames), config=config
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            stretch: Stretch = end.value
            return stretch
        yield TileDone(0, len(frames))


def _stretch_of_plane(
    source: ImageSource, raw: np.ndarray, *, frame: _Frame, channels: Sequence[int], model: Model
) -> Stretch:
    whole = source.context
    pixels = raw if whole is None else whole.read(t=frame.t, z=frame.z, channels=channels)
    return normalize.measure([pixels], config=model.card.normalization)


def _measure(
    labels: np.ndarray,
    raw: np.ndarray,
    probability: np.ndarray,
    *,
    frame: _Frame,
    source: ImageSource,
    channels: Sequence[int],
) -> pd.DataFrame:
    position = {"t": frame.t} if source.sizes["T"] > 1 else {}
    if frame.z is not None and source.sizes["Z"] > 1:
        position["z"] = frame.z
    names = [f"c{i}" for i in channels]
    return measure_objects(labels, raw, scale=source.scale, position=position, channels=names, probability=probability)


def _index(source: ImageSource, frame: _Frame) -> tuple[int, ...]:
    """Place of a frame in a file of labels, whose leading axes are T and Z where the image has them."""
    time_index = (frame.t,) if "T" in source.axes.letters else ()
    slice_index = (frame.z,) if "Z" in source.axes.letters and frame.z is not None else ()
    return (*time_index, *slice_index)
