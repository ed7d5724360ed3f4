"""Segment many files, one after the other; a bad one is reported and never stops the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from napari_unetseg.images.atomic import check_folder, remove_leftovers
from napari_unetseg.images.results import Format, Result, results_of
from napari_unetseg.images.zarr_store import name_inside
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.events import Event, ItemDone, Note
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks.classes import check_decoding
from napari_unetseg.tasks.cluster import Cluster
from napari_unetseg.tasks.layout import default_memory
from napari_unetseg.tasks.manifest import Manifest, fingerprint
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.report import Report
from napari_unetseg.tasks.segment_file import FileJob, segment_file
from napari_unetseg.tasks.volumes import check_z_step
from napari_unetseg.tasks.work import folder_of

logger = logging.getLogger(__name__)

Existing = Literal["error", "skip", "overwrite"]


def segment_files(
    inputs: Sequence[Path],
    *,
    folder: Path,
    model: Model,
    axes: str | None = None,
    channels: Sequence[int] | None = None,
    tiling: TilingConfig | None = None,
    decoding: DecodingConfig | None = None,
    format: Format = "tiff",  # noqa: A002 - the word users know
    existing: Existing = "error",
    memory: int | None = None,
    shard: tuple[int, int] | None = None,
    cluster: str | None = None,
    has_report: bool = True,
) -> Generator[Event, None, list[ItemDone]]:
    """Write `STEM_labels.tif` (or `.zarr`) and `STEM_objects.csv` into `folder` for each input.

    `existing` says what to do where a result stands: refuse before any work, skip that input, or replace the result.
    To skip, a result must have been made with the same model and settings (`manifest`), else `InputError`; the result
    of an image that has changed since is made again, and an image that was stopped half-way goes on at the next
    block. `memory` are the bytes an image may take (none: `default_memory`). `shard` (i, n) does every n-th block, from
    the i-th on, so that n computers share the work; a run without it, which skips what exists, does the rest and joins
    the blocks. `cluster` is the address of dask workers that do the blocks. With `has_report` a page (`results.REPORT`)
    shows what became of all images of the folder. Returns one `ItemDone` per input, with its error if it failed, and
    no output while blocks are missing.
    """
    decoding = decoding or model.card.decoding
    check_decoding(model.card, decoding)
    check_z_step(decoding, card=model.card)
    places = results_of(inputs, folder=folder, format=format)
    begun = [place.labels for place in places.values() if folder_of(place.labels).exists()]
    if begun and existing == "error":
        raise InputError(
            f"{begun[0]}: begun by a run that was stopped; pass --resume to go on, --overwrite to begin anew, "
            "or choose another folder"
        )
    standing = [place.labels for place in places.values() if place.is_begun]
    if standing and existing == "error":
        raise InputError(
            f"{standing[0]}: {len(standing)} of {counted(len(inputs), 'result')} there already; "
            "pass --resume to keep and skip them, --overwrite to replace them, or choose another folder"
        )
    _make_folder(folder)
    ndim = 3 if decoding.three_axes else model.card.network.ndim
    memory = default_memory(ndim=ndim) if memory is None else memory
    predictor = predictor_of(model, decoding=decoding, tiling=tiling)
    job = FileJob(
        model,
        axes,
        channels,
        tiling,
        decoding,
        format,
        memory,
        predictor,
        existing == "skip",
        shard,
        None if cluster is None else Cluster(cluster),
    )
    manifest = Manifest.of(folder, settings=job.settings())
    if existing == "skip":
        _check_settings(manifest, places.values())
    title = f"{folder.resolve().name}: segmented with {model.card.name}"
    report = Report(folder, title=title, has_objects=not model.card.target.is_semantic) if has_report else None
    try:
        return (yield from _all(inputs, places=places, job=job, manifest=manifest, report=report))
    finally:
        _tell(report)
        if job.cluster is not None:
            job.cluster.close()


def _all(
    inputs: Sequence[Path], *, places: Mapping[Path, Result], job: FileJob, manifest: Manifest, report: Report | None
) -> Generator[Event, None, list[ItemDone]]:
    """Segment one input after the other."""
    results: list[ItemDone] = []
    for number, path in enumerate(inputs, start=1):
        began = time.monotonic()
        place = places[path]
        error, done = None, None
        try:
            if job.resume and _is_done(place):
                if manifest.is_of(place.labels, path):
                    remove_leftovers(place.labels)
                    yield Note(f"{name_inside(path)}: kept {place.labels.name}, made before")
                    results.append(ItemDone(name_inside(path), number, len(inputs), output=place.labels))
                    _tell(report, results[-1], path=path)
                    yield results[-1]
                    continue
                yield Note(f"{name_inside(path)}: has changed since {place.labels.name} was made; it is made again")
            image = fingerprint(path)
            note_down = partial(manifest.add, place.labels, path, image=image)
            done = yield from segment_file(path, place=place, job=job, image=image, number=number, note_down=note_down)
        except UnetSegError as problem:
            error = str(problem)
        except Exception as problem:
            logger.debug("%s failed", path, exc_info=True)
            error = f"{path}: unexpected {type(problem).__name__}: {problem}; run again with -v for details"
        seconds = time.monotonic() - began
        if error or done is None:
            results.append(ItemDone(name_inside(path), number, len(inputs), seconds=seconds, error=error))
        else:
            objects, axes = done.objects, done.axes
            results.append(ItemDone(name_inside(path), number, len(inputs), place.labels, objects, seconds, axes=axes))
        _tell(report, results[-1], path=path, picture=done.picture if done else "")
        yield results[-1]
    return results


def _tell(report: Report | None, item: ItemDone | None = None, *, path: Path = Path(), picture: str = "") -> None:
    """Add an item to the report, or write its page; a report that cannot be written stops nothing."""
    if report is None:
        return
    try:
        if item is None:
            report.write()
        else:
            report.add(item, path=path, picture=picture)
    except (OSError, UnetSegError) as error:
        logger.warning("the report cannot be written: %s", error)


def _check_settings(manifest: Manifest, places: Iterable[Result]) -> None:
    """Refuse to go on beside results that were made otherwise."""
    others = [(place.labels, manifest.differences(place.labels)) for place in places if _is_done(place)]
    others = [(path, differences) for path, differences in others if differences]
    if others:
        path, differences = others[0]
        raise InputError(
            f"{path}: {counted(len(others), 'result')} here came from other settings ({'; '.join(differences)}); "
            "go on with those settings, pass --overwrite to replace the results, or choose another folder"
        )


def _is_done(place: Result) -> bool:
    """Whether an image has its result, and no run that was to replace it was stopped."""
    return place.is_complete and not folder_of(place.labels).exists()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    check_folder(folder / "labels")
