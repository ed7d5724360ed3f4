"""Every architecture on the same images with the same budget: python benchmarks/networks.py --time, then without it.

What `napari-unetseg compare` does, one architecture at a time, so that several processes may share the work and other
work may disturb them: `--time` measures how long a training step of each takes on one core, and `--minutes` become as
many steps as that long on such a core allows (a tenth of it is left for validation). Rows are kept as lines of
`results/networks.jsonl` and not repeated; runs of other `--minutes` stand beside them. Scores are those on the images
held back for validation (`compare`'s), and on the validation part of the data set, which takes no part. `--predict`
times prediction anew on a machine at rest, `--score` scores models as this version segments with them; `--show` only
prints the table, `--plot FILE.png` draws it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from datasets import samples
from report import RESULTS, machine, show
from scoring import score_model

from napari_unetseg.cli.compare_plot import write_comparison
from napari_unetseg.networks import registry
from napari_unetseg.schema.config import NetworkConfig, Recipe
from napari_unetseg.schema.events import Note, StepDone
from napari_unetseg.tasks import compare_networks, lock, train
from napari_unetseg.tasks.compare_networks import Row
from napari_unetseg.tasks.model import Model, load_model

DATA = "dsb2018_fluo"
RUNS = RESULTS / "networks.jsonl"
TIMES = RESULTS / "networks_times.jsonl"
WARM = 3
TIMED = 15
"""Steps of which the median is taken, after those that warm up."""
OWN = ("AP@0.5", "mean AP", "IoU")
"""The scores on the validation part that are kept."""
STEPS_SHARE = 0.9
"""The part of the minutes that goes to steps; the rest is for validation."""


def main() -> None:
    """Do what is missing, and print the table of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="+", default=registry.names(), choices=registry.names(), metavar="NAME")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--time", action="store_true", help="time the steps, and train nothing")
    parser.add_argument("--predict", action="store_true", help="time the predictions of kept models anew")
    parser.add_argument("--score", action="store_true", help="score kept models anew on the validation part")
    parser.add_argument("--keep", type=Path, required=True, help="folder of the models")
    parser.add_argument("--show", action="store_true", help="train nothing")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    for name in options.networks:
        if options.time:
            _time(name)
        elif options.predict or options.score:
            model = load_model(options.keep / f"{name}.safetensors")
            timed = {"ms_per_mpx": compare_networks.time_prediction(model)} if options.predict else {}
            _revise(name, {**timed, **(_own_scores(model) if options.score else {})}, minutes=options.minutes)
        elif not options.show:
            _train(name, minutes=options.minutes, folder=options.keep)
    lines = [line for line in _lines(RUNS) if line["minutes"] == options.minutes]
    rows = sorted(lines, key=lambda row: -row["AP@0.5"])
    show([{name: value for name, value in row.items() if name != "machine"} for row in rows])
    if options.plot:
        write_comparison([_as_row(line) for line in rows], path=options.plot)


def _recipe(name: str) -> Recipe:
    network = NetworkConfig(architecture=name, in_channels=len(samples(DATA, "val")[0].image))
    return Recipe(network=network)


def _time(name: str) -> None:
    """Keep the median of the seconds of a step, and the patch it is about."""
    if any(line["network"] == name for line in _lines(TIMES)):
        return
    recipe = _recipe(name).replace(steps=10_000, validation=0.0)
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        job = train.run(samples(DATA, "train")[::20], recipe=recipe, output=Path(folder) / f"{name}.safetensors")
        for event in job:
            if isinstance(event, StepDone):
                marks.append(event.seconds)
                if len(marks) > WARM + TIMED:
                    break
        job.close()
    seconds = statistics.median(
        later - earlier for earlier, later in zip(marks[WARM:], marks[WARM + 1 :], strict=False)
    )
    _append(TIMES, {"network": name, "seconds": seconds, "machine": machine()})
    print(f"{name}: {seconds:.3f} s a step", flush=True)


def _train(name: str, *, minutes: float, folder: Path) -> None:
    """Compare one architecture, unless that was done or another process is at it."""
    taken = Path(tempfile.gettempdir()) / f"unetseg-networks-{name}.lock"
    is_done = any((line["network"], line["minutes"]) == (name, minutes) for line in _lines(RUNS))
    if is_done or lock.holder_of(taken) or not lock.take(taken):
        return
    seconds = next(line["seconds"] for line in _lines(TIMES) if line["network"] == name)
    recipe = _recipe(name).replace(steps=max(20, round(STEPS_SHARE * 60 * minutes / seconds)))
    job = compare_networks.compare(samples(DATA, "train"), networks=[recipe.network], recipe=recipe, folder=folder)
    (row,) = _told(job)
    own = _own_scores(load_model(folder / f"{name}.safetensors")) if not row.error else dict.fromkeys(OWN)
    _append(RUNS, {**asdict(row), "minutes": minutes, "ms_per_step": 1000 * seconds, **own, "machine": machine()})
    taken.unlink(missing_ok=True)


def _told(job: Iterator[Any]) -> list[Row]:
    """Run a job, print its notes, and return what it returns."""
    while True:
        try:
            event = next(job)
        except StopIteration as stop:
            rows: list[Row] = stop.value
            return rows
        if isinstance(event, Note):
            print(event.message, flush=True)


def _own_scores(model: Model) -> dict[str, Any]:
    scores = score_model(model, samples(DATA, "val"))
    return {name: scores[name] for name in OWN}


def _revise(name: str, changes: dict[str, Any], *, minutes: float) -> None:
    """Write what was measured anew into the line of a network."""
    lines = [
        {**line, **changes} if (line["network"], line["minutes"]) == (name, minutes) else line for line in _lines(RUNS)
    ]
    RUNS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _as_row(line: dict[str, Any]) -> Row:
    return Row(line["network"], line["width"], line["parameters"], ap50=line["AP@0.5"], ms_per_mpx=line["ms_per_mpx"])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
