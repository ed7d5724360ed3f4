"""Train a bundled model as its recipe says and write its log: python benchmarks/bundled.py NAME OUTPUT --minutes 60.

`recipes/NAME.toml` names the data sets and how often each is drawn from, the facts of the model card and whatever
differs from the default recipe. The last weights are kept, unless earlier ones of the second half scored better by more
than chance on the validation parts. `cells` is not bundled, as it was not good enough.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path

from datasets import samples

from napari_unetseg.cli.settings import make_recipe
from napari_unetseg.schema.events import Note, StepDone, Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.model import load_model
from napari_unetseg.tasks.samples import Sample

RECIPES = Path(__file__).parent / "recipes"


def main() -> None:
    """Train, print and log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(path.stem for path in RECIPES.glob("*.toml")))
    parser.add_argument("output", type=Path)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--from", dest="start", help="model to start from; none: from scratch")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    told = tomllib.loads((RECIPES / f"{options.name}.toml").read_text(encoding="utf-8"))
    budget = {"minutes": options.minutes, "steps": options.steps}
    recipe = make_recipe([told.get("recipe", {}), budget], where=options.name)
    channels, sets = recipe.network.in_channels, told["sets"]
    job = train.run(
        [sample for name, times in sets.items() for sample in pooled([name], "train", channels=channels) * times],
        recipe=recipe,
        output=options.output,
        validation=pooled(sets, "val", channels=channels),
        start=load_model(options.start) if options.start else None,
        resume=options.resume,
        name=options.name,
        **told["card"],
    )
    with options.output.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
        for event in job:
            if isinstance(event, Note | Validated) or (isinstance(event, StepDone) and event.step % 20 == 0):
                line = json.dumps({type(event).__name__: dataclasses.asdict(event)})
                print(line, flush=True)
                log.write(line + "\n")
                log.flush()


def pooled(sets: Iterable[str], part: str, *, channels: int) -> list[Sample]:
    """Load a part of several data sets, in grey where the network reads one channel."""
    return [_with_channels(sample, channels) for name in sets for sample in samples(name, part)]


def _with_channels(sample: Sample, channels: int) -> Sample:
    """Return the sample for a network that reads so many: of colours the first, red, shows stained nuclei best."""
    if channels == 1 and len(sample.image) > 1:
        return dataclasses.replace(sample, image=sample.image[:1])
    return sample


if __name__ == "__main__":
    main()
