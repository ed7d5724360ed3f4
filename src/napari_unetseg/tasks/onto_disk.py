"""Segment an image that is open in a viewer and larger than memory, block by block into an OME-Zarr on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_unetseg.images.results import Result, is_within
from napari_unetseg.images.source import ImageSource
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.tasks.manifest import fingerprint
from napari_unetseg.tasks.segment_file import FileJob, segment_source
from napari_unetseg.tasks.work import is_begun

SAMPLES = 8
"""Windows of an image that stand for its pixels."""
EDGE = 64  # px of a window


def segment_onto_disk(
    source: ImageSource, *, place: Result, job: FileJob, facts: Mapping[str, Any], may_replace: bool = False
) -> Generator[Event, None, int]:
    """Write labels and table of `source`, or go on with a run of the same image and settings that was stopped.

    `facts` is what is known of the image besides its pixels. What stands at `place`, or was begun there otherwise, is
    replaced only if `may_replace`. Returns the number of objects.
    """
    if "file" in facts and is_within(place, Path(facts["file"])):
        raise InputError(f"{place.labels}: is the image itself, or lies in it; choose another name for the labels")
    image = yield from identity_of(source, facts=facts)
    goes_on = is_begun(place.labels, settings={**job.settings(), "image": image})
    if place.is_begun and not goes_on and not may_replace:
        raise InputError(f"{place.labels}: there is a result already; choose another name, or pass --overwrite")
    job = replace(job, resume=goes_on or not may_replace)
    objects = yield from segment_source(source, place=place, job=job, image=image)
    assert objects is not None  # it is not shared with others
    return objects


def identity_of(source: ImageSource, *, facts: Mapping[str, Any]) -> Generator[Event, None, str]:
    """Return a hash by which an image is known again: of its size and type, the `facts`, and windows spread over it.

    An image in a viewer has no file that could be hashed as a whole, and may be computed when it is read.
    """
    known = {"shape": source.shape, "dtype": str(source.dtype), "axes": source.axes.letters, **facts}
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    sizes = source.sizes
    for number in range(SAMPLES):
        t, z = divmod(number * (sizes["T"] * sizes["Z"] - 1) // (SAMPLES - 1), sizes["Z"])
        corner = (_spread(number, sizes["Y"]), _spread(3 * number % SAMPLES, sizes["X"]))
        yield Note("")  # reading may take a moment
        digest.update(source.read(t=t, z=z, yx=(corner[0], corner[1])).tobytes())
    return digest.hexdigest()


def facts_of(path: Path | None, region: Mapping[str, slice]) -> dict[str, Any]:
    """Return what is known of an image besides its pixels: its file, when that was written, the region of it."""
    known: dict[str, Any] = {letter: [part.start, part.stop] for letter, part in region.items()}
    if path is not None and path.exists():
        known |= {"file": str(path.resolve()), "written": path.stat().st_mtime_ns, "content": fingerprint(path)}
    return known


def _spread(number: int, length: int) -> slice:
    """Return the window at the place `number` of SAMPLES along an axis."""
    start = max(0, length - EDGE) * number // (SAMPLES - 1)
    return slice(start, min(length, start + EDGE))
