"""Segment one image file into its results: at once, block by block, on a cluster, or one shard of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.budget import readable
from napari_unetseg.images.read import open_image
from napari_unetseg.images.results import Format, Result
from napari_unetseg.images.source import ImageSource
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.events import Event, Note, Saved
from napari_unetseg.schema.words import counted
from napari_unetseg.tasks import blockwise, segment
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.cluster import Cluster, compute
from napari_unetseg.tasks.diameter import settle
from napari_unetseg.tasks.frames import choose_channels
from napari_unetseg.tasks.layout import Layout, lay_out
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.object_table import ObjectTable
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.ready import predictor_of
from napari_unetseg.tasks.report import picture_of
from napari_unetseg.tasks.scaled import diameter_in, scaled, sized
from napari_unetseg.tasks.volumes import model_for
from napari_unetseg.tasks.work import WHOLE, Work, begun_plan, discard, folder_of

NoteDown = Callable[[float | None], None]


@dataclass(frozen=True, slots=True)
class FileJob:
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
    cluster: Cluster | None

    def on(self, source: ImageSource) -> FileJob:
        """Return the job as it is done on `source`: a model that looks along three axes depends on the voxel size."""
        model = model_for(source, model=self.model, decoding=self.decoding)
        if model is self.model:
            return self
        return replace(self, model=model, predictor=predictor_of(model, decoding=self.decoding, tiling=self.tiling))

    def settings(self) -> dict[str, Any]:
        """Return what decides on the labels, in words that can be compared; the device does not, nor exact tiles."""
        card = self.model.card
        tiling = self.tiling or TilingConfig()
        dtype = devices.choose_dtype(tiling.precision, device=devices.choose_device(tiling.device))
        blended = {} if self.model.network.is_tile_exact else {"tiles": f"blended, {tiling.tile or 'usual'} px"}
        return {
            "model": f"{card.name} {card.sha256[:12]}".strip(),
            "axes": None if self.axes is None else self.axes.upper(),
            "channels": None if self.channels is None else list(self.channels),
            "precision": str(dtype).removeprefix("torch."),
            **blended,
            **self.decoding.model_dump(),
        }


@dataclass(frozen=True, slots=True)
class Done:
    """What is told of an image: number of objects, axes as they were read, and a picture."""

    objects: int
    axes: str
    picture: str


def segment_file(
    path: Path, *, place: Result, job: FileJob, image: str, number: int, note_down: NoteDown
) -> Generator[Event, None, Done | None]:
    """Write the results of an image, and return what to tell of it; none while other shards have blocks to do.

    `image` is the file's fingerprint, `number` its place in the batch. `note_down` is called with the diameter by which
    the image was scaled when the labels are in place, and the table is written last: with it the result counts as
    complete.
    """
    source = open_image(path, axes=job.axes)
    objects = yield from segment_source(source, place=place, job=job, image=image, number=number, note_down=note_down)
    if objects is None:
        return None
    axes = f"{source.axes.letters} (guess)" if source.axes.is_guess else source.axes.letters
    channel = choose_channels(source, model=job.model, channels=job.channels)[0]
    return Done(objects, axes, picture_of(source, place, channel=channel))


def segment_source(
    source: ImageSource,
    *,
    place: Result,
    job: FileJob,
    image: str,
    number: int = 1,
    note_down: NoteDown = lambda _: None,
) -> Generator[Event, None, int | None]:
    """Write the results of an image that is open already, as `segment_file` does; its axes are those it has.

    Returns the number of objects; none while other shards have blocks to do.
    """
    job = job.on(source)
    letters = "".join(letter for letter in "TZYX" if letter in label_axes(source.axes.letters))
    shape = tuple(source.sizes[letter] for letter in letters)

    def open_writer() -> LabelWriter:
        return LabelWriter(
            place.labels,
            shape=shape,
            axes=letters,
            scale=source.scale,
            format=job.format,
            overwrite=True,
            outdated=place.table,
        )

    settings = {**job.settings(), "image": image}
    job = yield from _settled(source, place=place, job=job, settings=settings)
    work = _begin(source, place=place, job=job, settings=settings)
    if work is not None:
        job = replace(job, decoding=job.decoding.replace(diameter=work.diameter))
    try:
        if job.shard is not None:
            assert work is not None
            yield from _share(source, work=work, job=job, number=number)
            return None
        with ObjectTable(place.table) as table:  # the last that gets its name
            if work is None:
                objects = yield from _at_once(source, job=job, open_writer=open_writer, table=table)
            else:
                objects = yield from _blocks(source, work=work, job=job, open_writer=open_writer, table=table)
            yield Saved(place.labels)
            note_down(diameter_in(job.decoding))
        discard(place.labels)
    finally:
        if work is not None:
            work.release()
    yield Saved(place.table)
    return objects


def _settled(
    source: ImageSource, *, place: Result, job: FileJob, settings: dict[str, Any]
) -> Generator[Event, None, FileJob]:
    """Return the job with the diameter of this image's objects: what an unfinished run has found, or measured anew."""
    begun = begun_plan(place.labels, settings=settings) if job.resume or job.shard is not None else None
    if begun is not None:
        return replace(job, decoding=job.decoding.replace(diameter=begun.get("diameter")))
    channels = choose_channels(source, model=job.model, channels=job.channels)
    settling = settle(source, model=job.model, predictor=job.predictor, channels=channels, decoding=job.decoding)
    return replace(job, decoding=(yield from settling))


def _begin(source: ImageSource, *, place: Result, job: FileJob, settings: dict[str, Any]) -> Work | None:
    """Return the work on an image; none where there is nothing to join, share or go on with."""
    channels, diameter = choose_channels(source, model=job.model, channels=job.channels), diameter_in(job.decoding)
    layout = lay_out(
        source, model=job.model, channels=channels, memory=job.memory, diameter=diameter, tiling=job.tiling
    )
    is_alone = job.shard is None and job.cluster is None
    if len(layout) == 1 and is_alone and not folder_of(place.labels).exists():
        return None
    name = WHOLE if job.shard is None else f"{job.shard[0]}-{job.shard[1]}"
    is_shared = job.resume or job.shard is not None
    return Work.begin(
        place.labels, settings=settings, blocks=layout.counts, resume=is_shared, shard=name, diameter=diameter
    )


def _at_once(
    source: ImageSource, *, job: FileJob, open_writer: Callable[[], LabelWriter], table: ObjectTable
) -> Generator[Event, None, int]:
    with open_writer() as writer:
        result = yield from segment.run(
            source,
            model=job.model,
            decoding=job.decoding,
            channels=job.channels,
            writer=writer,
            predictor=job.predictor,
        )
    table.add(result.table)
    return result.objects


def _blocks(
    source: ImageSource, *, work: Work, job: FileJob, open_writer: Callable[[], LabelWriter], table: ObjectTable
) -> Generator[Event, None, int]:
    blocks, layout = yield from _blocks_of(source, work=work, job=job)
    yield from _notes(blocks, layout, done=len(work.done), given=job.channels)
    if job.cluster is not None:
        yield from compute(blocks, work=work, layout=layout, cluster=job.cluster)
    return (yield from blockwise.run(blocks, work=work, layout=layout, open_writer=open_writer, add_rows=table.add))


def _share(source: ImageSource, *, work: Work, job: FileJob, number: int) -> Generator[Event, None, None]:
    """Do the blocks of this shard; those of the next image begin with the next shard."""
    assert job.shard is not None
    index, count = job.shard
    blocks, layout = yield from _blocks_of(source, work=work, job=job)
    mine = [one for one in blockwise.missing(work, layout) if (one + number) % count == index % count]
    yield from _notes(blocks, layout, done=len(work.done), given=job.channels)
    yield from blockwise.compute(blocks, work=work, layout=layout, todo=mine)


def _blocks_of(
    source: ImageSource, *, work: Work, job: FileJob
) -> Generator[Event, None, tuple[blockwise.Job, Layout]]:
    """Return what is the same for every block, and the blocks that were agreed on when the work was begun."""
    channels = choose_channels(source, model=job.model, channels=job.channels)
    fixed: dict[str, Any] = {
        "model": job.model,
        "channels": channels,
        "memory": job.memory,
        "diameter": work.diameter,
        "tiling": job.tiling,
    }
    layout = lay_out(source, counts=work.blocks, **fixed)
    if len(layout) < len(lay_out(source, **fixed)):
        yield Note(
            f"{source.name}: its unfinished run was begun with more memory and goes on with blocks of that size; "
            f"to keep within {readable(job.memory)}, begin anew with --overwrite"
        )
    decoding = sized(job.decoding, card=job.model.card, network=job.model.network)
    predictor = scaled(job.predictor, model=job.model, decoding=decoding)
    return blockwise.Job(source, job.model, predictor, decoding, channels, job.memory), layout


def _notes(
    blocks: blockwise.Job, layout: Layout, *, done: int, given: Sequence[int] | None
) -> Generator[Event, None, None]:
    name = blocks.source.name
    if given is None and len(blocks.channels) < blocks.source.sizes["C"]:
        yield Note(f"{name}: its colours are equal, taken as grey")
    yield from segment.notes_of(
        blocks.source, model=blocks.model, decoding=blocks.decoding, tiling=blocks.predictor.tiling
    )
    yield from blockwise.advice(blocks, layout)
    if done:
        yield Note(f"{name}: {done} of {counted(len(layout), 'block')} are done already")
    else:
        yield Note(f"{name}: {counted(len(layout), 'block')}, within {readable(blocks.memory)} of memory")
