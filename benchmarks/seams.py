"""What blended tiles change, for networks whose tiles are not exact: python benchmarks/seams.py --models FOLDER.

FOLDER holds a model of each such architecture, NAME.safetensors, as `networks.py` trains them. A mosaic of held-back
images is predicted at once, in blended tiles of several sizes and overlaps, and in tiles set side by side. `--only`
does some of the networks; rows of the others in `results/seams.json` stay. The column `pixels` of the default tile is
what `Network.seam_error` says.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from datasets import labelled_mosaic
from report import RESULTS, publish

from napari_unetseg.images import blend, normalize
from napari_unetseg.images.blend import Blend
from napari_unetseg.images.tiles import Tile, TilePlan
from napari_unetseg.labels import metrics
from napari_unetseg.labels.decode import decode
from napari_unetseg.networks import registry
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.tasks.jobs import finish
from napari_unetseg.tasks.lattice import lattice_of
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor

DATA = "dsb2018_fluo"
EDGES = (256, 512, 1024)
SHARES = (8, 4)
"""Parts of the edge by which tiles overlap: an eighth, a quarter."""


def main() -> None:
    """Do the networks of which there is a model, and publish the table of all."""
    names = [entry["name"] for entry in registry.describe() if not entry["is_tile_exact"]]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of NAME.safetensors")
    parser.add_argument("--only", nargs="+", default=names, choices=names, metavar="NAME")
    parser.add_argument("--edge", type=int, default=1536, help="of the mosaic, px")
    parser.add_argument("--data", default=DATA)
    options = parser.parse_args()
    file = RESULTS / "seams.json"
    kept = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.exists() else []
    raw, truth = labelled_mosaic(options.data, edge=options.edge)
    for name in options.only:
        path = options.models / f"{name}.safetensors"
        if path.exists():
            rows = _rows(load_model(path), raw, truth)
            kept = sorted([row for row in kept if row["network"] != name] + rows, key=lambda row: row["network"])
            publish("seams", kept, data=options.data, edge=options.edge)
    missing = [name for name in options.only if not (options.models / f"{name}.safetensors").exists()]
    if missing:
        print("no model yet: " + ", ".join(missing))


def _rows(model: Model, raw: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Compare all tiles of a network with the pass over everything."""
    image = np.repeat(raw[None], model.card.network.in_channels, axis=0)
    image = normalize.apply(image, stretch=normalize.measure([image], config=model.card.normalization))
    tiling = TilingConfig(tile=_tile_over(image.shape[1:], model), precision="float32", device="cpu")
    predictor = Predictor(model.network, target=model.card.target, tiling=tiling)
    whole, seconds = _timed(predictor, image, predictor.plan(image.shape[1:]))
    usual = lattice_of(model.network).blend
    name = model.card.network.architecture
    rows = [{"network": name, "tiles": "whole", **_compared(whole, whole, truth, model), "time / whole": 1.0}]
    for edge in EDGES:
        plans = {"side by side": _side_by_side(image.shape[1:], edge=edge)}
        for share in SHARES:
            pair = Blend(edge, edge // share)
            plans[f"overlap {edge // share}"] = blend.plan(image.shape[1:], blend=pair, divisor=model.network.divisor)
        for tiles, plan in plans.items():
            maps, taken = _timed(predictor, image, plan)
            rows.append(
                {
                    "network": name,
                    "tile": edge,
                    "tiles": tiles,
                    "default": plan.overlap > 0 and Blend(edge, plan.overlap) == usual,
                    **_compared(maps, whole, truth, model),
                    "time / whole": taken / seconds,
                }
            )
    return rows


def _tile_over(shape: tuple[int, ...], model: Model) -> int:
    """Return an edge of which one tile holds the image."""
    step = max(model.network.divisor)
    return -(-max(shape) // step) * step


def _side_by_side(shape: tuple[int, ...], *, edge: int) -> TilePlan:
    """Return tiles that read what they write."""
    corners = [(y, x) for y in range(0, shape[0], edge) for x in range(0, shape[1], edge)]
    parts = [
        tuple(slice(at, min(at + edge, length)) for at, length in zip(corner, shape, strict=True)) for corner in corners
    ]
    tiles = tuple(Tile(read=part, write=part) for part in parts)
    return TilePlan(shape=shape, padded=shape, tiles=tiles, inside=tuple(slice(0, length) for length in shape))


def _timed(predictor: Predictor, image: np.ndarray, plan: TilePlan) -> tuple[np.ndarray, float]:
    """Return maps and processor seconds, in which other programs on the machine count little."""
    began = time.process_time()
    maps = finish(predictor.predict(image, plan=plan))
    return maps, time.process_time() - began


def _compared(maps: np.ndarray, whole: np.ndarray, truth: np.ndarray, model: Model) -> dict[str, float]:
    """Return how far maps are from those of one pass, in probabilities, classes and objects, and from the truth.

    A network that has seen small patches alone may be better in tiles than in one pass.
    """
    classes = model.card.target.class_count
    labels, reference = (
        decode(np.ascontiguousarray(one), config=model.card.decoding, target=model.card.target) for one in (maps, whole)
    )
    return {
        "probability": float(np.abs(maps[0] - whole[0]).mean()),
        "pixels": float((maps[:classes].argmax(axis=0) != whole[:classes].argmax(axis=0)).mean()),
        "AP@0.5": _precision(labels, reference),
        "AP@0.5 against truth": _precision(labels, truth),
    }


def _precision(labels: np.ndarray, truth: np.ndarray) -> float:
    return float(metrics.summarize([metrics.score(labels, truth)])["ap"]["0.50"])


if __name__ == "__main__":
    main()
