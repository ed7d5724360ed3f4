"""How well every bundled model does on every data set: python benchmarks/every_model.py [NAME=FILE ...].

Validation images, objects counted together: as they are, and with the size of objects measured (`--diameter auto`, what
the command line does unless told otherwise). A model of one channel reads the first channel of colours, red.
"""

from __future__ import annotations

import argparse
from typing import Any

from bundled import pooled
from report import publish

from napari_unetseg.images.arrays import from_array
from napari_unetseg.labels import metrics
from napari_unetseg.models import library
from napari_unetseg.tasks import segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample

SETS = ("dsb2018_fluo", "dsb2018_histology", "dsb2018_brightfield", "usiigaci_t98g_phase")


def main() -> None:
    """Score and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="NAME[=FILE]", default=list(library.bundled()))
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for given in options.models:
        name, _, file = given.partition("=")
        model = load_model(file or name)
        for data in options.sets:
            held = pooled([data], "val", channels=model.card.network.in_channels)
            if len(held[0].image) == model.card.network.in_channels:  # colours cannot be made of grey
                rows += [{"model": name, "data": data, **_scores(model, held)}]
    publish("every_model", rows)


def _scores(model: Model, held: list[Sample]) -> dict[str, Any]:
    predictor = Predictor(model.network, target=model.card.target)
    row: dict[str, Any] = {}
    for diameter, suffix in ((None, ""), ("auto", ", auto")):
        decoding = model.card.decoding.replace(diameter=diameter)
        scores = []
        for sample in held:
            axes = "YX" if len(sample.image) == 1 else "CYX"
            source = from_array(sample.image if axes == "CYX" else sample.image[0], axes=axes, name=sample.name)
            found = finish(segment.run(source, model=model, predictor=predictor, decoding=decoding))
            scores.append(metrics.score(found.labels, sample.labels))
        summary = metrics.summarize(scores)
        row |= {f"AP@0.5{suffix}": summary["ap"]["0.50"], f"mean AP{suffix}": summary["mean_ap"]}
    return row


if __name__ == "__main__":
    main()
