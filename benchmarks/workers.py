"""Workers of a dask cluster against one worker: python benchmarks/workers.py --model FILE.

Every worker computes with one thread, so that all variants do the same work; image, blocks and labels are on disk. The
workers are started beforehand, as on a cluster; `seconds` are those of the command line's work on one stack.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any

import distributed
from report import publish
from stack import _write

from napari_unetseg.tasks.batch import segment_files
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import load_model


def main() -> None:
    """Segment a stack with each number of workers, in turn, and publish the fastest round of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--planes", type=int, default=16)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    seconds: dict[int, list[float]] = {count: [] for count in options.workers}
    digests = set()
    with tempfile.TemporaryDirectory() as name:
        stack = Path(name) / "stack.tif"
        _write(stack, options.planes, 2048)
        for _ in range(options.rounds):
            for count, times in seconds.items():
                with distributed.LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster:
                    _segment(stack, Path(name) / "warm", options, cluster.scheduler_address)  # loads torch and model
                    began = time.monotonic()
                    digests.add(_segment(stack, Path(name) / "out", options, cluster.scheduler_address))
                    times.append(time.monotonic() - began)
                print(count, times)
    one = min(seconds[options.workers[0]])
    rows = [
        {"workers": count, "seconds": min(times), "times as fast": one / min(times)} for count, times in seconds.items()
    ]
    publish("workers", rows, planes=options.planes, same_bytes=len(digests) == 1)


def _segment(stack: Path, folder: Path, options: argparse.Namespace, address: str) -> str:
    """Return a hash of all that was written but the page with the times."""
    job: Any = segment_files(
        [stack], folder=folder, model=load_model(options.model), axes="ZYX", existing="overwrite", cluster=address
    )
    result = finish(job)[0]
    assert result.error is None, result.error
    digest = hashlib.sha256()
    for path in sorted(folder.glob("stack_*")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
