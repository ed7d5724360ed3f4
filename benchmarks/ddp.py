"""Is training in two processes as fast as in two threads, and does it give the same weights? python benchmarks/ddp.py.

The same recipe is trained from the same seed by one process with one thread, by one with two, and by two with one each,
which torchrun starts; all in turn, several times. The first steps, in which memory is taken, do not count. One and two
threads round differently too, so their weights show how much rounding alone comes to.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import publish

VARIANTS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, one thread": (2, 1)}
BATCH, EDGE, WARM_UP = 8, 128, 4


def main() -> None:
    """Time the variants in turn, compare their weights, publish both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=Path, help="train into this file; what the processes are started with")
    options = parser.parse_args()
    if options.child is not None:
        _train(options.child, steps=options.steps)
        return
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for _ in range(options.rounds):
            for name in VARIANTS:
                seconds[name].append(_measure(name, folder=folder, steps=options.steps))
        rows = _rows(seconds, folder=folder, counted=BATCH * (options.steps - WARM_UP))
    publish("ddp", rows, steps=options.steps, batch=BATCH, patch=EDGE, rounds=options.rounds)


def _measure(name: str, *, folder: Path, steps: int) -> tuple[float, float]:
    """Return the seconds of the counted steps, and the processor time of all processes in them."""
    processes, threads = VARIANTS[name]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    start = [] if processes == 1 else torchrun
    model = folder / f"{name}.safetensors"
    command = [sys.executable, *start, __file__, "--steps", str(steps), "--child", str(model)]
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": str(threads)}, check=True)
    spent = [json.loads(model.with_suffix(f".{rank}.json").read_text()) for rank in range(processes)]
    return spent[0][0], sum(processor for _, processor in spent)


def _train(output: Path, *, steps: int) -> None:
    from napari_unetseg.images.simulate import simulate
    from napari_unetseg.schema.config import NetworkConfig, Recipe
    from napari_unetseg.schema.events import StepDone
    from napari_unetseg.tasks import train
    from napari_unetseg.tasks.launch import launch
    from napari_unetseg.tasks.samples import Sample

    fields = [simulate((256, 256), seed=seed) for seed in range(4)]
    samples = [Sample(image[None], labels, f"field {index}") for index, (image, labels) in enumerate(fields)]
    recipe = Recipe(
        network=NetworkConfig(width=16, depth=4),
        batch=BATCH,
        patch=(EDGE, EDGE),
        steps=steps,
        validation=0.0,
        validate_every=1.0,
        precision="float32",
    )
    job = train.run(samples, recipe=recipe, output=output)
    moments = [np.array([time.monotonic(), time.process_time()]) for event in job if isinstance(event, StepDone)]
    spent = (moments[-1] - moments[WARM_UP - 1]).tolist()
    output.with_suffix(f".{launch().rank}.json").write_text(json.dumps(spent))


def _rows(seconds: dict[str, list[tuple[float, float]]], *, folder: Path, counted: int) -> list[dict[str, Any]]:
    from napari_unetseg.models import file

    weights = {name: file.load(folder / f"{name}.safetensors")[1] for name in VARIANTS}
    first = next(iter(VARIANTS))
    rows = []
    for name, values in seconds.items():
        ratios = [one / own for (one, _), (own, _) in zip(seconds[first], values, strict=True)]
        learnt = [key for key in weights[name] if "running" not in key]
        pairs = [(weights[first][key], weights[name][key]) for key in learnt]
        rows.append(
            {
                "variant": name,
                "patches per second": counted / statistics.median(wall for wall, _ in values),
                "times as fast": statistics.median(ratios),
                "processor time of a patch (ms)": 1000 * statistics.median(used for _, used in values) / counted,
                "largest difference of a weight": max(float(np.abs(one - own).max()) for one, own in pairs),
                "length of the difference / of the weights": _length([one - own for one, own in pairs])
                / _length([one for one, _ in pairs]),
            }
        )
    return rows


def _length(arrays: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays)))


if __name__ == "__main__":
    main()
