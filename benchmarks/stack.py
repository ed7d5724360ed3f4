"""Time and memory of segmenting stacks on disk, by their size: python benchmarks/stack.py --model FILE.

Each stack is made first (2048 x 2048 planes of simulated cells, 16 bit), then segmented in a process of its own.
`over idle`: its peak memory less that of a process that has only loaded the model. `network`: the time the bare network
needs for as many such planes, already in memory, measured before and after. With `--kills` the run is killed (SIGKILL)
at random moments and resumed, and its files are compared with those of an unbroken run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from report import publish

from napari_unetseg.images.simulate import simulate
from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.predict import Predictor

EDGE = 2048
SAMPLE = 12  # planes through the bare network
MEMORY = 2 * 2**30


def main() -> None:
    """Measure every size and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--gib", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes a run may take")
    parser.add_argument("--format", choices=("tiff", "zarr"), default="zarr")
    parser.add_argument("--kills", type=int, default=0, help="kill and resume the smallest so many times")
    options = parser.parse_args()
    rows, kills = [], None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = multiprocessing.get_context("spawn")
        for size in options.gib:
            planes = max(1, round(size * 2**30 / (2 * EDGE**2)))
            stack = folder / "stack.tif"
            _in(context, _write, stack, planes)
            before = _in(context, _network, options.model)
            row = _in(context, _segment, stack, folder / "out", options.model, options.memory, options.format)
            network = (before + _in(context, _network, options.model)) / 2 * planes
            rows.append({"GiB": size, "planes": planes, **row, "/ network": row["seconds"] / network})
            rows[-1]["seconds/GiB"] = row["seconds"] / size
            print(rows[-1])
            if options.kills and kills is None:
                kills = _kill(stack, folder, options)
                print(kills)
    publish("stack", rows, memory=options.memory, format=options.format, kills=kills)


def _in(context: Any, task: Any, *arguments: Any) -> Any:
    with context.Pool(1) as pool:
        return pool.apply(task, arguments)


def _write(path: Path, planes: int) -> None:
    plane, _ = simulate((EDGE, EDGE), seed=1)
    rng = np.random.default_rng(0)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        stack = (np.roll(plane, rng.integers(EDGE, size=2), axis=(0, 1)) for _ in range(planes))
        file.write(stack, shape=(planes, EDGE, EDGE), dtype=np.uint16, metadata={"axes": "ZYX"})


def _network(name: str) -> float:
    """Return the seconds of the bare network for a plane."""
    model = load_model(name)
    predictor = Predictor(model.network, target=model.card.target)
    image = np.random.default_rng(0).random((1, EDGE, EDGE), np.float32)
    finish(predictor.predict(image[:, :EDGE, :EDGE]))
    began = time.monotonic()
    for _ in range(SAMPLE):
        finish(predictor.predict(image))
    return (time.monotonic() - began) / SAMPLE


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


def _kill(stack: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Kill runs of the command line at random moments, and compare what comes out with the unbroken run."""
    rng, out = np.random.default_rng(0), folder / "killed"
    command = [sys.executable, "-m", "napari_unetseg.cli", "segment", str(stack), "-o", str(out), "-m", options.model]
    command += ["--axes", "ZYX", "--memory", str(options.memory), "--format", options.format, "--resume", "--json"]
    done, kills = [0], 0
    while kills < options.kills:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=float(rng.uniform(6, 25)))
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
            done.append(len(list(out.glob(".*.work/*.npz.zst"))))
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    same = _digest(out) == _digest(folder / "out")
    return {
        "kills": kills,
        "blocks done at each": done[1:],
        "same bytes": same,
        "end": json.loads(output.stdout)["done"],
    }


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    files = (path for result in folder.glob("stack_*") for path in (result, *result.rglob("*")) if path.is_file())
    for path in sorted(files):
        digest.update(f"{path.relative_to(folder)}".encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
