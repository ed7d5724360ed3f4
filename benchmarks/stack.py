"""Time and memory of segmenting stacks on disk, by their size: python benchmarks/stack.py --model FILE.

Each stack is made first (planes of simulated cells, 16 bit), then segmented in a process of its own. `over idle`: its
peak memory less that of a process that has only loaded the model. `network`: the time the bare network needs for as
many such planes, already in memory, measured before and after. Rows join those that the same machine has given before,
for `--plot` too. With `--kills`, runs over a stack of `--blocks` planes are killed (SIGKILL) and resumed (kills.py).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from kills import kill_and_resume
from report import RESULTS, machine, publish
from stack_plot import draw

from napari_unetseg.images.simulate import simulate
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.predict import Predictor

SAMPLE = 2**25  # pixels through the bare network, at least
MEMORY = 2 * 2**30
KEY = ("model", "memory (GiB)", "format", "edge", "GiB")


def main() -> None:
    """Measure every size and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--gib", type=float, nargs="*", default=[0.25, 0.5, 1.0], help="sizes; none: only --kills")
    parser.add_argument("--edge", type=int, default=2048, help="edge of the planes (px)")
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes a run may take")
    parser.add_argument("--format", choices=("tiff", "zarr"), default="zarr")
    parser.add_argument("--plot", type=Path, help="picture of time and memory against size")
    parser.add_argument("--kills", type=int, default=0, help="kill runs so many times")
    parser.add_argument(
        "--blocks", type=int, default=40, help="planes, and so blocks, of the stack whose runs are killed"
    )
    options = parser.parse_args()
    rows, kills = _before()
    with tempfile.TemporaryDirectory() as name:
        for size in options.gib:
            row = _measure(size, Path(name), options)
            rows = [other for other in rows if any(other[key] != row[key] for key in KEY)] + [row]
            print(row)
        if options.kills:
            kills = _kill(Path(name), options)
            print(kills)
    rows.sort(key=lambda row: [row[key] for key in KEY])
    if rows or kills:
        publish("stack", rows, kills=kills)
    if rows and options.plot:
        draw(rows, options.plot)


def _before() -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Return what this machine has measured before."""
    path = RESULTS / "stack.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return (content["rows"], content.get("kills")) if content.get("machine") == machine() else ([], None)


def _measure(size: float, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    context, edge = multiprocessing.get_context("spawn"), options.edge
    planes = max(1, round(size * 2**30 / (2 * edge**2)))
    stack = folder / "stack.tif"
    _in(context, _write, stack, planes, edge)
    before = _in(context, _network, options.model, edge)
    row = _in(context, _segment, stack, folder / "out", options.model, options.memory, options.format)
    network = (before + _in(context, _network, options.model, edge)) / 2 * planes
    facts = {"model": Path(options.model).stem, "memory (GiB)": options.memory / 2**30, "format": options.format}
    facts |= {"edge": edge, "GiB": size, "planes": planes}
    return {**facts, **row, "seconds/GiB": row["seconds"] / size, "/ network": row["seconds"] / network}


def _in(context: Any, task: Any, *arguments: Any) -> Any:
    with context.Pool(1) as pool:
        return pool.apply(task, arguments)


def _write(path: Path, planes: int, edge: int) -> None:
    plane, _ = simulate((edge, edge), seed=1)
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        stack = (np.roll(plane, rng.integers(edge, size=2), axis=(0, 1)) for _ in range(planes))
        file.write(stack, shape=(planes, edge, edge), dtype=np.uint16, metadata={"axes": "ZYX"})


def _network(name: str, edge: int) -> float:
    """Return the seconds of the bare network for a plane."""
    model = load_model(name)
    predictor = Predictor(model.network, target=model.card.target)
    image = np.random.default_rng(0).random((1, edge, edge), np.float32)
    finish(predictor.predict(image))
    began, count = time.monotonic(), max(1, SAMPLE // edge**2)
    for _ in range(count):
        finish(predictor.predict(image))
    return (time.monotonic() - began) / count


def _segment(path: Path, folder: Path, name: str, memory: int, format: str) -> dict[str, Any]:  # noqa: A002
    model = load_model(name)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    job = segment_files(
        [path], folder=folder, model=model, axes="ZYX", memory=memory, format=format, existing="overwrite"
    )
    result = finish(job)[0]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert result.error is None, result.error
    return {
        "over idle (GiB)": (peak - idle) / 2**20,
        "idle (GiB)": idle / 2**20,
        "seconds": time.monotonic() - began,
        "objects": result.objects,
    }


def _kill(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill runs over a stack that has a block in each plane."""
    stack = folder / "kills" / "stack.tif"
    stack.parent.mkdir()
    _write(stack, options.blocks, options.edge)

    def command(out: Path) -> list[str]:
        words = [sys.executable, "-m", "napari_unetseg", "segment", str(stack), "-o", str(out), "-m", options.model]
        words += ["--axes", "ZYX", "--memory", str(options.memory), "--format", options.format]
        return [*words, "--resume", "--json"]

    return kill_and_resume(command, folder=stack.parent, blocks=options.blocks, kills=options.kills)


if __name__ == "__main__":
    main()
