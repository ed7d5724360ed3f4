"""`simulate`: images of cells with their true labels, of any size, written plane by plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from napari_unetseg.cli.options import FormatName, FormatOption, JsonFlag, OverwriteFlag, SeedOption, VerboseFlag
from napari_unetseg.cli.report import Report, reporting

if TYPE_CHECKING:
    import numpy as np

    from napari_unetseg.cli.progress import Progress
    from napari_unetseg.images.write import LabelWriter

StainName = Literal["nuclei", "membranes"]
ENDING = {"tiff": ".tif", "zarr": ".zarr"}


def simulate(
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for OUT/images and OUT/labels; made if needed.")
    ],
    shape: Annotated[str, typer.Option(metavar="[Z,]Y,X", help="Size of each image in pixels.")] = "512,512",
    count: Annotated[
        int, typer.Option(min=1, help="Number of images; each has the seed of the one before plus 1.")
    ] = 1,
    seed: SeedOption = 0,
    density: Annotated[float, typer.Option(help="Share of the pixels that nuclei cover, up to 0.6.")] = 0.25,
    diameter: Annotated[float, typer.Option(help="Mean diameter of a nucleus in pixels.")] = 24.0,
    time: Annotated[
        int | None, typer.Option(min=1, help="Number of time points; nuclei move, divide and keep their numbers.")
    ] = None,
    stain: Annotated[
        StainName, typer.Option(help="What is bright: the cells (nuclei), or only their rims (membranes).")
    ] = "nuclei",
    format: FormatOption = "tiff",  # noqa: A002 - the option's name
    overwrite: OverwriteFlag = False,
    as_json: JsonFlag = False,
    verbose: VerboseFlag = False,
) -> None:
    """Simulate nuclei with known truth, for tests, benchmarks and practice; images may be larger than memory."""
    with reporting(as_json=as_json, verbose=verbose) as report:
        from napari_unetseg.cli.progress import Progress
        from napari_unetseg.cli.settings import numbers
        from napari_unetseg.schema.words import counted

        scenes = [
            _Scene(
                number,
                numbers(shape, option="--shape"),
                seed + number - 1,
                density,
                diameter,
                time,
                stain,
                format,
                output,
            )
            for number in range(1, count + 1)
        ]
        _prepare(scenes, overwrite=overwrite)
        done: list[dict[str, Any]] = []
        report.when_stopped = lambda: (
            f"{len(done)} of {counted(count, 'image')} complete in {output}; --overwrite starts again"
        )
        with Progress(report=report, items=count) as progress:
            for scene in scenes:
                done.append({"image": scene.image, "labels": scene.labels, "objects": _write(scene, progress=progress)})
                progress.items_done += 1
        _tell(done, folder=output, report=report)


@dataclass(frozen=True, slots=True)
class _Scene:
    """One image to make, and where it goes."""

    number: int
    shape: tuple[int, ...]
    seed: int
    density: float
    diameter: float
    time: int | None
    stain: StainName
    format: FormatName
    folder: Path

    @property
    def full_shape(self) -> tuple[int, ...]:
        return self.shape if self.time is None else (self.time, *self.shape)

    @property
    def axes(self) -> str:
        return ("" if self.time is None else "T") + "ZYX"[3 - len(self.shape) :]

    @property
    def image(self) -> Path:
        return self.folder / "images" / f"nuclei_{self.number:04d}{ENDING[self.format]}"

    @property
    def labels(self) -> Path:
        return self.folder / "labels" / self.image.name

    def planes(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        from napari_unetseg.images.simulate import simulate_planes

        planes = simulate_planes(
            self.shape, seed=self.seed, density=self.density, diameter=self.diameter, time_points=self.time
        )
        return planes if self.stain == "nuclei" else _stained(planes, seed=self.seed)


def _stained(planes: Iterator[tuple[np.ndarray, np.ndarray]], *, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    import numpy as np

    from napari_unetseg.images.membranes import stain_membranes

    rng = np.random.default_rng(seed)
    return ((stain_membranes(labels, rng=rng), labels) for _, labels in planes)


def _prepare(scenes: list[_Scene], *, overwrite: bool) -> None:
    """Refuse bad settings and existing files before any work, then make the folders."""
    from napari_unetseg.schema.errors import InputError

    if len(scenes[0].shape) not in (2, 3):
        raise InputError(f"--shape has 2 or 3 numbers (Y,X or Z,Y,X), got {','.join(map(str, scenes[0].shape))}")
    scenes[0].planes()  # checks density, diameter and size
    standing = [path for scene in scenes for path in (scene.image, scene.labels) if path.exists()]
    if standing and not overwrite:
        raise InputError(f"{standing[0]}: this file exists; give --overwrite to replace it, or choose another folder")
    for path in (scenes[0].image, scenes[0].labels):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"{path.parent}: this folder cannot be made ({error.strerror}); choose another one"
            ) from error


def _write(scene: _Scene, *, progress: Progress) -> int:
    """Write image and labels in one pass over the planes, and return the number of objects."""
    from napari_unetseg.images.stream import write_planes
    from napari_unetseg.images.write import LabelWriter

    ids: set[int] = set()
    with LabelWriter(
        scene.labels, shape=scene.full_shape, axes=scene.axes, scale={}, format=scene.format, overwrite=True
    ) as writer:
        planes = _tee(scene, writer=writer, ids=ids, progress=progress)
        write_planes(
            scene.image,
            planes,
            shape=scene.full_shape,
            dtype="uint16",
            axes=scene.axes,
            format=scene.format,
            overwrite=True,
        )
    return len(ids - {0})


def _tee(scene: _Scene, *, writer: LabelWriter, ids: set[int], progress: Progress) -> Iterator[np.ndarray]:
    """Hand on the image of each plane after its labels are written."""
    import numpy as np

    from napari_unetseg.schema.events import TileDone

    places = list(np.ndindex(*scene.full_shape[:-2]))
    for done, (place, (image, labels)) in enumerate(zip(places, scene.planes(), strict=True), start=1):
        writer.write(place, labels)
        ids.update(np.unique(labels).tolist())
        progress.show(TileDone(done, len(places), scene.image.name))
        yield image


def _tell(done: list[dict[str, Any]], *, folder: Path, report: Report) -> None:
    from napari_unetseg.cli.table import table
    from napari_unetseg.schema.words import counted

    report.say(table([(entry["image"].name, entry["objects"]) for entry in done], head=("image", "objects")))
    report.say(f"{counted(len(done), 'image')} in {folder / 'images'}, their truth in {folder / 'labels'}")
    report.finish({"items": done, "objects": sum(entry["objects"] for entry in done), "notes": report.notes})
