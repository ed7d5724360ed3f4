"""Peak memory of segmenting a 40 x 2048 x 2048 TIFF slice by slice: python benchmarks/memory.py.

The stack is made first, in another process. `idle` is a process that has imported everything and loaded the model.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from report import publish

from napari_unetseg.images.simulate import simulate
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import load_model


def main() -> None:
    """Make the stack, segment it, publish the peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--planes", type=int, default=40)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--compression", choices=("none", "zlib"), default="zlib")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stack.tif"
        context = multiprocessing.get_context("spawn")
        maker = context.Process(target=_write, args=(path, options.planes, options.size))
        maker.start()
        maker.join()
        if options.compression == "zlib":
            _compress(path)
        with context.Pool(1) as pool:
            row = pool.apply(_segment, (path, Path(folder) / "results", options.model))
    row = {"input": options.compression} | row
    publish("memory", [row], planes=options.planes, size=options.size)


def _write(path: Path, planes: int, size: int) -> None:
    plane, _ = simulate((size, size), seed=1)
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(path) as file:
        stack = (np.roll(plane, int(rng.integers(size)), axis=1) for _ in range(planes))
        file.write(stack, shape=(planes, size, size), dtype=np.uint16, metadata={"axes": "ZYX"})


def _compress(path: Path) -> None:
    planes = tifffile.memmap(path)
    with tifffile.TiffWriter(path.with_suffix(".part")) as file:
        file.write(iter(planes), shape=planes.shape, dtype=planes.dtype, compression="zlib", metadata={"axes": "ZYX"})
    path.with_suffix(".part").replace(path)


def _segment(path: Path, folder: Path, name: str) -> dict[str, object]:
    model = load_model(name)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    results = finish(segment_files([path], folder=folder, model=model, axes="ZYX", tiling=TilingConfig(device="cpu")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "peak over idle (GiB)": (peak - idle) / 2**20,
        "idle (GiB)": idle / 2**20,
        "seconds": time.monotonic() - began,
        "objects": results[0].objects,
        "error": results[0].error,
    }


if __name__ == "__main__":
    main()
