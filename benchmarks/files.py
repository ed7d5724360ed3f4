"""Reading and writing files against plain tifffile and zarr: python benchmarks/files.py.

Everything is read once before, so that it lies in memory, and all ways are taken in turn; the fastest round counts.
`MB/s` is by the clock, `CPU` the processor seconds over those of this package, of all threads: below 1 the other way is
cheaper. `identical` compares the pixels. Memory is measured in a process of its own for each way.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from files_written import ways_to_write
from memory import over_idle
from report import publish
from zarr.codecs import ZstdCodec

from napari_unetseg.images.read import open_image
from napari_unetseg.images.simulate import simulate

WINDOW = 704
CHUNK = 512
Place = tuple[int, slice, slice]
Reader = Callable[[Place], np.ndarray]

TIFFS: dict[str, dict[str, Any]] = {
    "strips": {},
    "strips, deflate": {"compression": "zlib"},
    "tiles": {"tile": (CHUNK, CHUNK)},
    "tiles, deflate": {"tile": (CHUNK, CHUNK), "compression": "zlib"},
    "tiles, zstd": {"tile": (CHUNK, CHUNK), "compression": "zstd"},
    "OME, strips": {"ome": True},
    "OME, tiles, deflate": {"ome": True, "tile": (CHUNK, CHUNK), "compression": "zlib"},
}


def main() -> None:
    """Time all files and ways, and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planes", type=int, default=4)
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--windows", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="files whose names contain this")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        stack = _stack(options.planes, options.edge)
        whole = slice(0, options.edge)
        planes = [(number, whole, whole) for number in range(options.planes)]
        accesses = {"planes": planes, f"windows of {WINDOW}": list(_windows(options))}
        for kind, path in _files(Path(name), stack, only=options.only):
            for access, places in accesses.items():
                rows += _read(kind, path, access, places, rounds=options.rounds)
            print(kind, flush=True)
        for shape in ((options.planes, options.edge, options.edge), (1, 8256, 8256)):
            rows += _write(Path(name), shape, rounds=options.rounds, only=options.only)
    publish("files", rows, planes=options.planes, edge=options.edge, windows=options.windows)


def _stack(planes: int, edge: int) -> np.ndarray:
    plane, _ = simulate((1024, 1024), seed=1)
    count = -(-edge // 1024)
    whole = np.tile(plane, (count, count))[:edge, :edge]
    return np.stack([np.roll(whole, 301 * number, axis=(0, 1)) for number in range(planes)])


def _windows(options: argparse.Namespace) -> Iterator[Place]:
    rng = np.random.default_rng(0)
    for _ in range(options.windows):
        y, x = (int(rng.integers(options.edge - WINDOW)) for _ in range(2))
        yield int(rng.integers(options.planes)), slice(y, y + WINDOW), slice(x, x + WINDOW)


def _files(folder: Path, stack: np.ndarray, *, only: str) -> Iterator[tuple[str, Path]]:
    """Write the stack in every kind of file, one at a time."""
    for kind, how in TIFFS.items():
        path, how = folder / "stack.tif", dict(how)
        name = f"TIFF, {kind}"
        if only in name:
            with tifffile.TiffWriter(path, bigtiff=True, ome=how.pop("ome", False)) as file:
                file.write(stack, photometric="minisblack", metadata={"axes": "ZYX"}, **how)
            yield name, path
            path.unlink()
    if only in "OME-Zarr, zstd":
        yield "OME-Zarr, zstd", _write_zarr(folder / "stack.zarr", stack)


def _write_zarr(path: Path, stack: np.ndarray) -> Path:
    group = zarr.open_group(path, mode="w", zarr_format=3)
    chunks = (1, CHUNK, CHUNK)
    array = group.create_array("0", shape=stack.shape, chunks=chunks, dtype=stack.dtype, compressors=ZstdCodec(level=1))
    array[:] = stack
    axes = [{"name": letter, "type": "space"} for letter in "zyx"]
    scale = {"type": "scale", "scale": [1.0, 1.0, 1.0]}
    level = {"path": "0", "coordinateTransformations": [scale]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [level]}]}
    return path


def _ways_to_read(path: Path) -> dict[str, Callable[[], Reader]]:
    """Return the ways to open a file; each gives a function that reads a place."""
    ways: dict[str, Callable[[], Reader]] = {"napari-unetseg": lambda: _ours(path)}
    if path.suffix == ".zarr":
        return ways | {"zarr": lambda: zarr.open_group(path, mode="r")["0"].__getitem__}
    if tifffile.TiffFile(path).series[0].dataoffset is not None:
        ways["tifffile.memmap"] = lambda: _copied(tifffile.memmap(path, mode="r"))
    return ways | {
        "tifffile, whole planes (as dask-image does)": lambda: _by_plane(path),
        "tifffile as zarr": lambda: zarr.open_array(tifffile.imread(path, aszarr=True), mode="r").__getitem__,
    }


def _ours(path: Path) -> Reader:
    source = open_image(path)
    return lambda place: source.read(z=place[0], yx=place[1:])[0]


def _copied(mapped: np.ndarray) -> Reader:
    return lambda place: np.array(mapped[place])


def _by_plane(path: Path) -> Reader:
    """As one task per file or page: whichever part is asked for, the plane is read."""
    return lambda place: tifffile.imread(path, key=place[0])[place[1:]]


def _read(kind: str, path: Path, access: str, places: Sequence[Place], *, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each way to read these places of a file."""
    ways = _ways_to_read(path)

    def read(way: str) -> list[np.ndarray]:
        reader = ways[way]()
        return [reader(place) for place in places]

    expected = read("napari-unetseg")
    megabytes = sum(part.nbytes for part in expected) / 1e6
    is_same = {
        way: all(np.array_equal(one, other) for one, other in zip(read(way), expected, strict=True)) for way in ways
    }
    del expected
    found = _times({way: lambda way=way: read(way) and None for way in ways}, rounds=rounds)
    for way, (seconds, processor) in found.items():
        row = {"file": kind, "what": access, "way": way, "MB/s": megabytes / seconds}
        row |= {"CPU": processor / found["napari-unetseg"][1], "identical": is_same[way]}
        yield row | {"MiB over idle": over_idle(_prepare_reading, path, way, places)}


def _prepare_reading(path: Path, way: str, places: Sequence[Place]) -> Callable[[], None]:
    reader = _ways_to_read(path)[way]()

    def run() -> None:
        for place in places:
            reader(place)

    return run


def _write(folder: Path, shape: tuple[int, ...], *, rounds: int, only: str) -> Iterator[dict[str, Any]]:
    """Yield a row for each way to write labels of this shape, plane by plane."""
    for kind, ways in itertools.groupby(ways_to_write(shape), key=lambda way: way[0]):
        if only not in kind:
            continue
        names = [name for _, name in ways]
        runs = {name: _prepare_writing(folder, kind, name, shape) for name in names}
        found = _times(runs, rounds=rounds)
        megabytes = 4 * np.prod(shape) / 1e6
        for name, (seconds, processor) in found.items():
            row = {"file": kind, "what": f"write labels {shape}", "way": name, "MB/s": megabytes / seconds}
            row |= {"CPU": processor / found["napari-unetseg"][1], "identical": None}
            yield row | {"MiB over idle": over_idle(_prepare_writing, folder, kind, name, shape)}
        print(kind, shape, flush=True)


def _prepare_writing(folder: Path, kind: str, name: str, shape: tuple[int, ...]) -> Callable[[], None]:
    _, labels = simulate((1024, 1024), seed=1)
    count = -(-shape[-1] // 1024)
    plane = np.tile(labels, (count, count))[: shape[-2], : shape[-1]]
    write = ways_to_write(shape)[kind, name]
    return lambda: write(folder, plane, shape)


def _times(ways: dict[str, Callable[[], None]], *, rounds: int) -> dict[str, tuple[float, float]]:
    """Return the seconds by the clock and of the processor, of the fastest of the rounds."""
    best = {name: (float("inf"), float("inf")) for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            clock, processor = time.perf_counter(), time.process_time()
            run()
            found = time.perf_counter() - clock, time.process_time() - processor
            best[name] = (min(best[name][0], found[0]), min(best[name][1], found[1]))
    return best


if __name__ == "__main__":
    main()
