"""Labels of blockwise runs against those of runs that see whole frames: python benchmarks/join.py [--model3d FILE].

The same network, once over whole frames in memory and once in blocks, with the margin that users get and with a third
of it. `differ`: objects that have not exactly the same pixels in both. `edges at borders`: pixels where a label changes
across a border of two blocks, over those of the whole run at the same places. With `--peers` blocks are joined as other
packages do it; `cut`: objects of the whole run with several parts, `merged`: that share one object with others.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasets import mosaic
from join_peers import changes, joined
from report import publish

from napari_unetseg.images import normalize
from napari_unetseg.images.read import from_array, open_image
from napari_unetseg.images.simulate import simulate
from napari_unetseg.images.write import LabelWriter
from napari_unetseg.labels.decode import decode
from napari_unetseg.labels.metrics import score, summarize
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.tasks import blockwise, layout, segment
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.work import Work


def main() -> None:
    """Run all cases and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nuclei")
    parser.add_argument("--model3d", help="a 3D model, for the simulated volume; left out without")
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--only", default="", help="images whose names contain this")
    parser.add_argument("--peers", action="store_true", help="compare with how other packages join blocks, in 2D")
    options = parser.parse_args()
    rows = []
    tiling = TilingConfig(precision=options.precision)
    for name, image, model in _cases(options):
        whole = _whole(image, model, tiling=tiling)
        for share in (1, 3):
            rows.append({"image": name} | _compare(image, model, whole, share=share, tiling=tiling))
            print(rows[-1])
        if options.peers and image.ndim == 2:
            rows += [{"image": name} | row for row in _peers(image, model, whole, tiling=tiling)]
    title = "join_peers" if options.peers else "join_some" if options.only else "join"
    publish(title, rows, size=options.size, precision=options.precision)


def _cases(options: argparse.Namespace) -> Iterator[tuple[str, np.ndarray, Model]]:
    model = load_model(options.model)
    half = options.size // 2
    made: dict[str, Callable[[], np.ndarray]] = {
        "dsb2018_brightfield": lambda: mosaic("dsb2018_brightfield", edge=half),
        "dsb2018_fluo": lambda: mosaic("dsb2018_fluo", edge=options.size),
        "simulated, half of it cells": lambda: simulate((half, half), seed=1, density=0.5)[0],
        "simulated 3D": lambda: simulate((48, 384, 384), seed=1, density=0.4)[0],
    }
    for name, make in made.items():
        if options.only in name and ("3D" not in name or options.model3d):
            yield name, make(), load_model(options.model3d) if "3D" in name else model


def _whole(image: np.ndarray, model: Model, *, tiling: TilingConfig) -> tuple[np.ndarray, float]:
    began = time.monotonic()
    result = finish(segment.run(from_array(image, axes=model.card.axes), model=model, tiling=tiling))
    assert result.labels is not None
    return result.labels, time.monotonic() - began


def _compare(
    image: np.ndarray, model: Model, whole: tuple[np.ndarray, float], *, share: int, tiling: TilingConfig
) -> dict[str, Any]:
    """Segment in blocks, with a share of the usual margin, and compare."""
    source, usual = from_array(image, axes=model.card.axes), layout.margin_of
    predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
    job = blockwise.Job(source, model, predictor, model.card.decoding, [0], layout.default_memory())
    layout.margin_of = lambda one: usual(one) // share  # type: ignore[assignment]
    edge = model.network.divisor[0]
    counts = [
        max(2, round(length / (160 if image.ndim == 3 else 1024))) if length > edge else 1 for length in image.shape
    ]
    plan = layout.lay_out(source, model=model, channels=[0], memory=job.memory, counts=counts)
    layout.margin_of = usual
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.zarr"
        work = Work.begin(path, settings={}, blocks=plan.counts, resume=False)

        def open_writer() -> LabelWriter:
            return LabelWriter(path, shape=image.shape, axes=model.card.axes, scale={}, format="zarr")

        began = time.monotonic()
        finish(blockwise.run(job, work=work, layout=plan, open_writer=open_writer, add_rows=lambda _rows: None))
        seconds = time.monotonic() - began
        labels = open_image(path).reader(tuple(slice(0, length) for length in image.shape))
    reference, whole_seconds = whole
    scores = summarize([score(labels, reference)])
    windows = sum(math.prod(side.stop - side.start for side in block.window) for block in plan.blocks)
    return {
        "how": "blocks of napari-unetseg",
        "blocks": len(plan.blocks),
        "margin (px)": usual(model) // share,
        **changes(labels, reference),
        "same numbers": bool((labels == reference).all()),
        "AP@0.9": scores["ap"]["0.90"],
        "edges at borders": _edges(labels, plan) / max(1, _edges(reference, plan)),
        "pixels read / image": windows / image.size,
        "time / whole": seconds / whole_seconds,
    }


def _peers(
    image: np.ndarray, model: Model, whole: tuple[np.ndarray, float], *, tiling: TilingConfig
) -> Iterator[dict[str, Any]]:
    """Join blocks of as many pixels as other packages do it."""
    predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
    stretch = normalize.measure([image[None]], config=model.card.normalization)

    def segment_part(part: np.ndarray) -> np.ndarray:
        maps = finish(predictor.predict(np.ascontiguousarray(part)[None]))
        return decode(maps, config=model.card.decoding, target=model.card.target)

    step, usual = model.network.divisor[0], layout.margin_of(model)
    margin = -(-usual // step) * step  # else blocks would pool other pixels than the whole image does
    pixels, reference = normalize.apply(image[None], stretch=stretch)[0], whole[0]
    began = time.monotonic()
    for how, labels in joined(pixels, segment_part, margin=margin, context=model.network.halo[0]):
        row = {"how": how, "margin (px)": margin, **changes(labels, reference)}
        yield row | {"time / whole": (time.monotonic() - began) / whole[1]}
        print(row)
        began = time.monotonic()


def _edges(labels: np.ndarray, plan: layout.Layout) -> int:
    """Count the pixels at borders of blocks across which the label changes."""
    changes = 0
    for axis, length in enumerate(labels.shape):
        for stop in {block.core[axis].stop for block in plan.blocks} - {length}:
            changes += int(np.count_nonzero(labels.take(stop - 1, axis=axis) != labels.take(stop, axis=axis)))
    return changes


if __name__ == "__main__":
    main()
