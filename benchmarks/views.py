"""What the mean over mirrored and turned views is worth: python benchmarks/views.py --models FILE --data NAME.

Every model is scored on the validation images of its data set with 1, 2, 4 and 8 views; times are of the
processor, and in units of one view.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from datasets import samples
from report import publish
from scoring import score_model

from napari_unetseg.networks.views import VIEWS
from napari_unetseg.tasks.model import load_model


def main() -> None:
    """Score each model on the data set of its place in the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["nuclei"])
    parser.add_argument("--data", nargs="+", default=["dsb2018_fluo"], help="a data set for each model")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for name, data in zip(options.models, options.data, strict=True):
        model, held, alone = load_model(name), samples(data, "val"), 0.0
        score_model(model, held[:1])  # the first pass is slow
        for count in VIEWS:
            began = time.process_time()  # others may be at work
            scores = score_model(model, held, views=count)
            seconds = time.process_time() - began
            alone = alone or seconds
            rows.append({"data": data, "model": model.card.name, "views": count, **scores, "time": seconds / alone})
            print(rows[-1], flush=True)
    publish("views", rows)


if __name__ == "__main__":
    main()
