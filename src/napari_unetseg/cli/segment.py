"""`segment`: images in, label images and object tables out; one bad file never stops the rest."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_unetseg.cli.options import (
    AxesOption,
    ChannelOption,
    DeviceOption,
    FolderOption,
    FormatOption,
    JsonFlag,
    MemoryOption,
    ModelOption,
    OverwriteFlag,
    PrecisionName,
    VerboseFlag,
)
from napari_unetseg.cli.report import Report, reporting

if TYPE_CHECKING:
    from napari_unetseg.schema.events import Event, ItemDone


def segment(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...", help="Image files, folders of images, plates, or patterns such as 'day1/*.tif'."
        ),
    ],
    output: FolderOption,
    model: ModelOption = "nuclei",
    axes: AxesOption = None,
    channel: ChannelOption = None,
    device: DeviceOption = "auto",
    precision: Annotated[
        PrecisionName, typer.Option(help="bfloat16 is several times faster on some processors; auto takes it there.")
    ] = "auto",
    tile: Annotated[
        int | None,
        typer.Option(
            help="Tile edge in pixels; chosen from memory if not given. Results do not depend on it, but a little with "
            "networks whose tiles are blended (see 'models networks')."
        ),
    ] = None,
    memory: MemoryOption = None,
    threshold: Annotated[
        float | None, typer.Option(help="Foreground probability of an object's pixels (0 to 1).")
    ] = None,
    seed_threshold: Annotated[
        float | None,
        typer.Option(
            help="Score from which a pixel starts an object: higher splits touching cells, lower joins pieces."
        ),
    ] = None,
    min_seed: Annotated[
        int | None, typer.Option(help="Seeds of fewer pixels or voxels split no object: raise it if cells are cut up.")
    ] = None,
    min_size: Annotated[int | None, typer.Option(help="Drop objects of fewer pixels or voxels.")] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Drop objects whose mean foreground probability is lower (0 to 1).")
    ] = None,
    views: Annotated[
        int | None,
        typer.Option(
            metavar="1|2|4|8",
            help="Average over so many mirrored and turned views of the image: takes that many times as long.",
        ),
    ] = None,
    diameter: Annotated[
        str | None,
        typer.Option(
            metavar="PX|auto|none",
            help="Typical diameter of the objects in pixels; the network sees the image at the scale at which they are "
            "as large as those it has learnt. auto (usual): measured in each image; none: no scaling.",
        ),
    ] = None,
    link: Annotated[
        bool | None, typer.Option("--link/--no-link", help="2D model on a Z stack: join the slices into 3D objects.")
    ] = None,
    three_axes: Annotated[
        bool | None,
        typer.Option(
            "--three-axes/--no-three-axes",
            help="2D model on a Z stack: look at planes along all three axes and outline 3D cells in the mean; takes "
            "about three times as long. --min-size and --min-seed are voxels then.",
        ),
    ] = None,
    z_step: Annotated[
        int | None,
        typer.Option(
            help="With --three-axes: distance of two planes in pixels; taken from the voxel size if not given, else 1."
        ),
    ] = None,
    format: FormatOption = "tiff",  # noqa: A002 - the option's name
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where a run was stopped, also within an image; leave out images whose results are there.",
        ),
    ] = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do the I-th of N shares of the work, so that N computers or jobs share it. When all are through, the "
            "same command with --resume instead joins the parts.",
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let dask workers do the blocks of stacks and large images: the address of a scheduler, or "
            "local:N for N workers on this computer. --memory is what each may take.",
        ),
    ] = None,
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Outline every cell: write STEM_labels.tif (or .zarr) and STEM_objects.csv for each image into a folder."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.settings import apply_options, channel_list, diameter_of
        from napari_unetseg.images.budget import bytes_of
        from napari_unetseg.images.read import find_images
        from napari_unetseg.images.results import REPORT
        from napari_unetseg.schema.config import TilingConfig
        from napari_unetseg.schema.errors import InputError

        # wrong usage is found before torch is loaded
        share = None if shard is None else _share(shard)
        if share is not None and cluster is not None:
            raise InputError("--shard and --cluster exclude each other; give one of them")
        if share is not None and overwrite:
            raise InputError("--shard goes on with what is there; remove older results, or leave --overwrite out")
        existing = _existing(resume=resume or share is not None, overwrite=overwrite, folder=output)
        tiling = apply_options(TilingConfig(), tile=tile, device=device, precision=precision)
        channels = channel_list(channel)
        width = {} if diameter is None else {"diameter": diameter_of(diameter)}
        budget = None if memory is None else bytes_of(memory)
        paths = find_images(inputs)

        from napari_unetseg.tasks.batch import segment_files
        from napari_unetseg.tasks.cluster import check_address
        from napari_unetseg.tasks.device import choose_device
        from napari_unetseg.tasks.lattice import lattice_of
        from napari_unetseg.tasks.model import load_model
        from napari_unetseg.tasks.scaled import check_diameter

        if cluster is not None:
            check_address(cluster)
        choose_device(tiling.device)
        loaded = load_model(model)
        lattice_of(loaded.network, tile=tile)
        changes = {
            "threshold": threshold,
            "seed_threshold": seed_threshold,
            "min_seed": min_seed,
            "min_size": min_size,
            "min_confidence": min_confidence,
            "views": views,
            "link_slices": link,
            "three_axes": three_axes,
            "z_step": z_step,
        }
        decoding = apply_options(loaded.card.usual_decoding, **changes).replace(**width)
        check_diameter(decoding, card=loaded.card)
        job = segment_files(
            paths,
            folder=output,
            model=loaded,
            axes=axes,
            channels=channels,
            tiling=tiling,
            decoding=decoding,
            format=format,
            existing=existing,
            memory=budget,
            shard=share,
            cluster=cluster,
        )
        items = run(job, total=len(paths), report=report, overwrite=overwrite)
        noun = "classes" if loaded.card.target.is_semantic else "objects"
        rows = [_row(item, path=path, noun=noun) for item, path in zip(items, paths, strict=True)]
        _tell(rows, model=loaded.card.name, page=output / REPORT, noun=noun, report=report)


def run(
    job: Generator[Event, None, list[ItemDone]], *, total: int, report: Report, overwrite: bool = False
) -> list[ItemDone]:
    """Drive a batch of files; stopped by Ctrl-C it says how many are done."""
    from napari_unetseg.cli.progress import drive
    from napari_unetseg.schema.events import ItemDone
    from napari_unetseg.schema.words import counted

    done: list[ItemDone] = []

    def watch(event: Event) -> None:
        if isinstance(event, ItemDone) and event.error is None:
            done.append(event)

    advice = "older results of the others still stand; run the same command again to replace those too"
    if not overwrite:
        advice = "go on with the same command and --resume"
    report.when_stopped = lambda: f"{len(done)} of {counted(total, 'image')} done and kept; {advice}"
    return drive(job, report=report, items=total, watch=watch)


def _existing(*, resume: bool, overwrite: bool, folder: Path) -> Literal["error", "skip", "overwrite"]:
    from napari_unetseg.schema.errors import InputError

    if resume and overwrite:
        raise InputError("--resume and --overwrite exclude each other; give one of them")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: this is a file; give a folder for the results with -o")
    return "skip" if resume else "overwrite" if overwrite else "error"


def _share(text: str) -> tuple[int, int]:
    """Read "2/4" as the second of four."""
    from napari_unetseg.schema.errors import InputError

    first, _, second = text.partition("/")
    if first.isascii() and first.isdigit() and second.isascii() and second.isdigit() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise InputError(f"--shard takes I/N with I from 1 to N, such as 2/4; got '{text}'")


def _row(item: ItemDone, *, path: Path, noun: str) -> dict[str, Any]:
    """Return what the table and the JSON object say of one input; `noun` is what was counted in it."""
    row: dict[str, Any] = {"input": path, "output": item.output, "error": item.error}
    if item.error is not None:
        return {**row, "status": "failed"}
    if item.output is None:
        return {**row, "status": "shared", "seconds": round(item.seconds, 2)}
    if item.seconds == 0:  # nothing was computed: the result of an earlier run was kept
        return {**row, "status": "kept"}
    return {
        **row,
        "status": "done",
        "axes": item.axes,
        noun: item.objects,
        "seconds": round(item.seconds, 2),
    }


def _tell(rows: Sequence[dict[str, Any]], *, model: str, page: Path, noun: str, report: Report) -> None:
    from napari_unetseg.cli.table import table
    from napari_unetseg.images.zarr_store import name_inside
    from napari_unetseg.schema.words import counted, duration

    lines = [
        (
            name_inside(row["input"]),
            row.get("axes", row["status"]),
            row.get(noun),
            row.get("seconds"),
            str(row["output"] or "-"),
        )
        for row in rows
    ]
    report.say(table(lines, head=("file", "axes", noun, "seconds", "output")))
    count = {status: sum(row["status"] == status for row in rows) for status in ("done", "kept", "shared", "failed")}
    objects, seconds = sum(row.get("objects", 0) for row in rows), sum(row.get("seconds", 0.0) for row in rows)
    others = "".join(f", {count[status]} {status}" for status in ("kept", "shared", "failed") if count[status])
    found = f": {counted(objects, 'object')}" if noun == "objects" else ""  # classes are the same in all images
    report.say(f"{count['done']} done{others}{found} in {duration(seconds)}")
    report.say(f"look at all of them: {page}")
    if count["shared"]:
        report.say("shared: once all shards are through, run the command with --resume in place of --shard")
    report.finish(
        {
            "model": model,
            "items": list(rows),
            **count,
            "objects": objects,
            "seconds": seconds,
            "report": page,
            "notes": report.notes,
        },
        failed=count["failed"],
    )
