"""The frames of an image, which are what a network sees at once: planes of a stack, or in 3D whole volumes."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from napari_unetseg.images import normalize
from napari_unetseg.images.grey import is_grey
from napari_unetseg.images.normalize import Stretch
from napari_unetseg.images.source import ImageSource
from napari_unetseg.labels.measure import measure_objects
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, TileDone
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.model import Model

BAND = 2**23
"""Pixels read at once to measure the contrast."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A plane of a stack, or with a 3D network (`z` none) a whole volume."""

    t: int
    z: int | None


def frames_of(source: ImageSource, *, ndim: int) -> list[Frame]:
    """Return all frames in the order in which they are segmented."""
    if ndim == 3 and source.sizes["Z"] == 1:
        raise InputError(
            f"{source.name}: this is a 3D model and the image has no Z axis (axes {source.axes.letters}); "
            "give its axes with --axes, or take a 2D model"
        )
    planes = range(source.sizes["Z"]) if ndim == 2 else [None]
    return [Frame(t, z) for t in range(source.sizes["T"]) for z in planes]


def frame_shape(source: ImageSource, *, ndim: int) -> tuple[int, ...]:
    """Return the edges ([Z,] Y, X) of a frame."""
    return tuple(source.sizes[letter] for letter in "ZYX"[3 - ndim :])


def index_of(source: ImageSource, frame: Frame) -> tuple[int, ...]:
    """Return the place of a frame in a file of labels, whose leading axes are T and Z where the image has them."""
    time_index = (frame.t,) if "T" in source.axes.letters else ()
    slice_index = (frame.z,) if "Z" in source.axes.letters and frame.z is not None else ()
    return (*time_index, *slice_index)


def read_window(source: ImageSource, frame: Frame, *, window: tuple[slice, ...], channels: Sequence[int]) -> np.ndarray:
    """Read a window ([Z,] Y, X) of a frame as (C, [Z,] Y, X)."""
    z = window[0] if frame.z is None else frame.z
    return source.read(t=frame.t, z=z, channels=channels, yx=(window[-2], window[-1]))


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
            f"{_colours(source)}, model '{model.card.name}' reads {wanted} ({names}); "
            f"{_remedy(source, available=available, wanted=wanted)}"
        )
    if len(channels) != wanted:
        raise InputError(
            f"model '{model.card.name}' reads {counted(wanted, 'channel')} ({names}), got {len(channels)} to read"
        )
    for index in channels:
        if not 0 <= index < available:
            raise InputError(f"{source.name}: there is no channel {index}; the image has channels 0..{available - 1}")
    return list(channels)


def _remedy(source: ImageSource, *, available: int, wanted: int) -> str:
    """Say what to do about an image with other channels than the model reads; only what this image allows."""
    if available > wanted:
        listed = ",".join(map(str, range(wanted)))
        return f"choose with --channel, e.g. --channel {listed}, or correct the axes with --axes, e.g. --axes ZYX"
    listed = ",".join(str(min(index, available - 1)) for index in range(wanted))
    colour = ", such as colour" if wanted == 3 else ""
    axes = ", or correct the axes with --axes, e.g. --axes CYX" if set(source.axes.letters) > {"Y", "X"} else ""
    return (
        f"it is made for images of {wanted} channels{colour}: take another model, or give a channel more than once, "
        f"--channel {listed}{axes}"
    )


def measure_stack(
    source: ImageSource, *, frames: Sequence[Frame], channels: Sequence[int], model: Model
) -> Generator[Event, None, Stretch | None]:
    """Measure the contrast of the whole stack, or return none where every plane is to be stretched on its own."""
    config = model.card.normalization
    if config.scope == "plane" and model.card.network.ndim == 2:
        return None
    steps = normalize.measure_stepwise(_bands(source, frames=frames, channels=channels), config=config)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            stretch: Stretch = end.value
            return stretch
        yield TileDone(0, len(frames))


def measure_frame(
    source: ImageSource, frame: Frame, *, channels: Sequence[int], config: NormalizationConfig
) -> Stretch:
    """Measure the contrast of one frame."""
    return normalize.measure(_bands(source, frames=[frame], channels=channels), config=config)


def measure_labels(
    labels: np.ndarray,
    raw: np.ndarray,
    probability: np.ndarray,
    *,
    frame: Frame,
    source: ImageSource,
    channels: Sequence[int],
) -> pd.DataFrame:
    """Return a row for each object of a frame, or of a part of it."""
    position = {"t": frame.t} if source.sizes["T"] > 1 else {}
    if frame.z is not None and source.sizes["Z"] > 1:
        position["z"] = frame.z
    names = [f"c{i}" for i in channels]
    return measure_objects(labels, raw, scale=source.scale, position=position, channels=names, probability=probability)


def _bands(source: ImageSource, *, frames: Sequence[Frame], channels: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield the pixels of the frames in C order, a few rows or planes at a time.

    Of a cut-out, those of the planes it was cut from.
    """
    whole = source.context or source
    height, width = whole.sizes["Y"], whole.sizes["X"]
    rows = max(1, BAND // width)
    for frame in frames:
        for z in range(whole.sizes["Z"]) if frame.z is None else [frame.z]:
            for start in range(0, height, rows):
                band = (slice(start, min(start + rows, height)), slice(0, width))
                yield whole.read(t=frame.t, z=z, channels=channels, yx=band)


def _colours(source: ImageSource) -> str:
    return " (0 red, 1 green, 2 blue)" if "S" in source.axes.letters else ""
