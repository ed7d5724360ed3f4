"""Segment many files, one after the other; a bad one is reported and never stops the rest."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_unetseg.images.atomic import check_folder, remove
from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.read import open_image
from napari_unetseg.images.results import Format, Result, results_of
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import LabelWriter, write_text
from napari_unetseg.schema.config import DecodingConfig, TilingConfig
from napari_unetseg.schema.errors import InputError, UnetSegError
from napari_unetseg.schema.events import Event, ItemDone, Note, Saved
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import blockwise, segment
from napari_unetseg.tasks import cluster as clusters
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.frames import choose_channels
from napari_unetseg.tasks.layout import Layout, default_memory, lay_out
from napari_unetseg.tasks.manifest import Manifest, fingerprint
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.report import Report, picture_of
from napari_unetseg.tasks.segment import Segmentation
from napari_unetseg.tasks.work import WHOLE, Work, folder_of

logger = logging.getLogger(__name__)

Existing = Literal["error", "skip", "overwrite"]


@dataclass(frozen=True, slots=True)
class _Done:
    """What is told of an image: number of objects, axes as they were read, and a picture."""

    objects: int
    axes: str
    picture: str


@dataclass(frozen=True, slots=True)
class _Job:
    """What is the same for every file."""

    model: Model
    axes: str | None
    channels: Sequence[int] | None
    tiling: TilingConfig | None
    decoding: DecodingConfig
    format: Format
    memory: int
    predictor: Predictor
    resume: bool
    shard: tuple[int, int] | None
    cluster: str | None


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
    memory = default_memory() if memory is None else memory
    predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
    job = _Job(
        model,
        axes,
        channels,
        tiling,
        decoding or model.card.decoding,
        format,
        memory,
        predictor,
        existing == "skip",
        shard,
        cluster,
    )
    manifest = Manifest.of(folder, settings=_settings(job))
    if existing == "skip":
        _check_settings(manifest, places.values())
    report = (
        None if not has_report else Report(folder, title=f"{folder.resolve().name}: segmented with {model.card.name}")
    )
    try:
        return (yield from _all(inputs, places=places, job=job, manifest=manifest, report=report))
    finally:
        if report is not None:
            report.write()


def _all(
    inputs: Sequence[Path], *, places: Mapping[Path, Result], job: _Job, manifest: Manifest, report: Report | None
) -> Generator[Event, None, list[ItemDone]]:
    """Segment one input after the other."""
    results: list[ItemDone] = []
    for number, path in enumerate(inputs, start=1):
        began = time.monotonic()
        place = places[path]
        error, done = None, None
        try:
            if job.resume and place.is_complete:
                if manifest.is_of(place.labels, path):
                    yield Note(f"{path.name}: kept {place.labels.name}, made before")
                    results.append(ItemDone(path.name, number, len(inputs), output=place.labels))
                    if report is not None:
                        report.add(results[-1], path=path)
                    yield results[-1]
                    continue
                yield Note(f"{path.name}: has changed since {place.labels.name} was made; it is made again")
            image = fingerprint(path)
            done = yield from _segment_file(path, place=place, job=job, image=image, number=number)
            if done is not None:
                manifest.add(place.labels, path, image=image)
                remove(folder_of(place.labels))
        except UnetSegError as problem:
            error = str(problem)
        except Exception as problem:
            logger.debug("%s failed", path, exc_info=True)
            error = f"{path}: unexpected {type(problem).__name__}: {problem}; run again with -v for details"
        seconds = time.monotonic() - began
        if error or done is None:
            results.append(ItemDone(path.name, number, len(inputs), seconds=seconds, error=error))
        else:
            objects, axes = done.objects, done.axes
            results.append(ItemDone(path.name, number, len(inputs), place.labels, objects, seconds, axes=axes))
        if report is not None:
            report.add(results[-1], path=path, picture=done.picture if done else "")
        yield results[-1]
    return results


def _settings(job: _Job) -> dict[str, Any]:
    """Return what decides on the labels, in words that can be compared; tile and device do not."""
    card = job.model.card
    tiling = job.tiling or TilingConfig()
    dtype = devices.choose_dtype(tiling.precision, device=devices.choose_device(tiling.device))
    return {
        "model": f"{card.name} {card.sha256[:12]}".strip(),
        "axes": None if job.axes is None else job.axes.upper(),
        "channels": None if job.channels is None else list(job.channels),
        "precision": str(dtype).removeprefix("torch."),
        **job.decoding.model_dump(),
    }


def _check_settings(manifest: Manifest, places: Iterable[Result]) -> None:
    """Refuse to go on beside results that were made otherwise."""
    others = [(place.labels, manifest.differences(place.labels)) for place in places if place.is_complete]
    others = [(path, differences) for path, differences in others if differences]
    if others:
        path, differences = others[0]
        raise InputError(
            f"{path}: {counted(len(others), 'result')} here came from other settings ({'; '.join(differences)}); "
            "go on with those settings, pass --overwrite to replace the results, or choose another folder"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); choose another folder") from error
    check_folder(folder / "labels")


def _segment_file(
    path: Path, *, place: Result, job: _Job, image: str, number: int
) -> Generator[Event, None, _Done | None]:
    """Return what to tell of an image; none while other shards have blocks to do."""
    source = open_image(path, axes=job.axes)
    letters = "".join(letter for letter in "TZYX" if letter in label_axes(source.axes.letters))
    shape = tuple(source.sizes[letter] for letter in letters)
    place.table.unlink(missing_ok=True)  # written last, it says that its labels are complete

    def open_writer() -> LabelWriter:
        return LabelWriter(
            place.labels, shape=shape, axes=letters, scale=source.scale, format=job.format, overwrite=True
        )

    channels = choose_channels(source, model=job.model, channels=job.channels)
    layout = lay_out(source, model=job.model, channels=channels, memory=job.memory)
    if len(layout) == 1:
        result = yield from _segment_at_once(source, job=job, number=number, open_writer=open_writer)
    else:
        blocks = blockwise.Job(source, job.model, job.predictor, job.decoding, channels, job.memory)
        settings = {**_settings(job), "image": image}
        result = yield from _segment_blocks(
            blocks, layout, place=place, job=job, settings=settings, open_writer=open_writer
        )
    if result is None:
        return None
    yield Saved(place.labels)
    write_text(place.table, result.table.to_csv(index=False))
    yield Saved(place.table)
    axes = f"{source.axes.letters} (guess)" if source.axes.is_guess else source.axes.letters
    picture = picture_of(source, place.labels, table=result.table, channel=channels[0])
    return _Done(result.objects, axes, picture)


def _segment_at_once(
    source: ImageSource, *, job: _Job, number: int, open_writer: Callable[[], LabelWriter]
) -> Generator[Event, None, Segmentation | None]:
    """Segment an image of a single frame, if it falls to this shard."""
    if job.shard is not None and (number - job.shard[0]) % job.shard[1]:
        return None
    with open_writer() as writer:
        return (
            yield from segment.run(
                source,
                model=job.model,
                decoding=job.decoding,
                channels=job.channels,
                writer=writer,
                predictor=job.predictor,
            )
        )


def _segment_blocks(
    blocks: blockwise.Job,
    layout: Layout,
    *,
    place: Result,
    job: _Job,
    settings: dict[str, Any],
    open_writer: Callable[[], LabelWriter],
) -> Generator[Event, None, Segmentation | None]:
    """Segment an image block by block, or do the blocks of this shard."""
    name = WHOLE if job.shard is None else f"{job.shard[0]}-{job.shard[1]}"
    is_shared = job.resume or job.shard is not None
    work = Work.begin(place.labels, settings=settings, blocks=layout.counts, resume=is_shared, shard=name)
    try:
        layout = lay_out(
            blocks.source, model=job.model, channels=blocks.channels, memory=job.memory, counts=work.blocks
        )
        if job.cluster is not None:
            yield from clusters.compute(blocks, work=work, layout=layout, address=job.cluster)
        if job.shard is None:
            return (yield from blockwise.run(blocks, work=work, layout=layout, open_writer=open_writer))
        index, count = job.shard
        todo = [number for number in blockwise.missing(work, layout) if number % count == index - 1]
        yield from blockwise.compute(blocks, work=work, layout=layout, todo=todo)
        return None
    finally:
        work.release()
