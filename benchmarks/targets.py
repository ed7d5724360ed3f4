"""What should the network learn? Classes, distance, or both, on two data sets: python benchmarks/targets.py.

Every run has the same number of steps (so that other programs do not matter), network, patches and seed; only the
target differs. Scores are those of the best checkpoint on the validation part.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from datasets import samples
from report import publish

from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, Recipe, TargetConfig
from napari_unetseg.tasks import train
from napari_unetseg.tasks.jobs import finish

SETS = ("dsb2018_fluo", "usiigaci_t98g_phase")
KINDS = ("boundary", "distance", "both")


def main() -> None:
    """Train all combinations and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    rows = []
    for name in options.sets:
        training, validation = samples(name, "train"), samples(name, "val")
        for kind in KINDS:
            target = TargetConfig.model_validate({"kind": kind})
            recipe = Recipe(
                network=NetworkConfig(width=options.width, out_channels=target.out_channels),
                target=target,
                augmentation=AugmentationConfig(probability=0.6, elastic=4.0, scale=0.2),
                patch=(192, 192),
                steps=options.steps,
                validate_every=0.33,
                seed=options.seed,
            )
            with tempfile.TemporaryDirectory() as folder:
                output = Path(folder) / "model.safetensors"
                card = finish(train.run(training, recipe=recipe, output=output, validation=validation))
            assert card.training is not None
            scores = card.training.scores
            row = {"data": name, "target": kind, "AP@0.5": scores["ap0.50"], "mean AP": scores["mean_ap"]}
            rows.append(row | {"PQ": scores["pq"], "best at step": card.training.steps})
            publish("targets", rows, steps=options.steps, width=options.width, seed=options.seed)


if __name__ == "__main__":
    main()
