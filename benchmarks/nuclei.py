"""Train the bundled model `nuclei` on dsb2018_fluo and write its log: python benchmarks/nuclei.py --minutes 60 OUTPUT.

The best of the checkpoints, by mean AP on the validation part, is kept.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tomllib
from pathlib import Path

from datasets import samples

from napari_unetseg.schema.config import Recipe
from napari_unetseg.schema.events import Note, StepDone, Validated
from napari_unetseg.tasks import train
from napari_unetseg.tasks.model import load_model

FACTS = {
    "name": "nuclei",
    "description": "Fluorescence nuclei in 2D (bright on dark), about 10 to 60 px wide.",
    "data": "dsb2018_fluo, training part: fluorescence images of BBBC038v1 stage1_train with community label fixes",
    "licence": "BSD-3-Clause; trained on BBBC038v1 (CC0 1.0)",
    "citation": "Caicedo et al. 2019, Nature Methods 16:1247, doi:10.1038/s41592-019-0612-7",
}


def main() -> None:
    """Train, print and log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parent / "recipes" / "nuclei.toml")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--from", dest="start", help="model to start from; none: from scratch")
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    recipe = Recipe.model_validate(tomllib.loads(options.recipe.read_text(encoding="utf-8"))).replace(
        minutes=options.minutes
    )
    job = train.run(
        samples("dsb2018_fluo", "train"),
        recipe=recipe,
        output=options.output,
        validation=samples("dsb2018_fluo", "val"),
        start=load_model(options.start) if options.start else None,
        resume=options.resume,
        **FACTS,
    )
    with options.output.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
        for event in job:
            if isinstance(event, Note | Validated) or (isinstance(event, StepDone) and event.step % 20 == 0):
                line = json.dumps({type(event).__name__: dataclasses.asdict(event)})
                print(line, flush=True)
                log.write(line + "\n")
                log.flush()


if __name__ == "__main__":
    main()
