"""Train several architectures on the same images with the same budget, and tell what each gives and takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_unetseg.images import normalize
from napari_unetseg.images.simulate import simulate
from napari_unetseg.networks.cost import macs_per_pixel, size_of
from napari_unetseg.networks.registry import divisor
from napari_unetseg.schema.config import NetworkConfig, Recipe, TilingConfig
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.tasks import train
from napari_unetseg.tasks.budget import in_words
from napari_unetseg.tasks.model import Model, load_model
from napari_unetseg.tasks.predict import Predictor
from napari_unetseg.tasks.samples import Sample

TIMED = {2: (1024, 1024), 3: (32, 192, 192)}
"""Image whose prediction is timed."""
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One architecture: what it costs, and what came of its training; `error` says why nothing did."""

    network: str
    width: int
    parameters: int = 0
    gmacs_per_mpx: float = 0.0
    """Thousand million multiplications with addition for a million pixels."""
    mib_per_mpx: float = 0.0
    """Estimate of the memory for a million pixels (float32)."""
    steps: int = 0
    """Those of the weights that are kept, as are the seconds; the budget may be larger."""
    seconds: float = 0.0
    ap50: float | None = None
    mean_ap: float | None = None
    foreground_iou: float | None = None
    """Of classes, which have no average precision: the mean of their IoU, without background."""
    ms_per_mpx: float | None = None
    """Milliseconds that this device takes for a million pixels, the fastest of three."""
    error: str = ""
    budget: str = ""
    """Steps or minutes it could learn for, in words; not known of tables that older versions wrote."""

    @property
    def score(self) -> float | None:
        """What it is ranked by: AP at IoU 0.5, or the IoU of classes."""
        return self.ap50 if self.foreground_iou is None else self.foreground_iou

    @classmethod
    def of_text(cls, cells: Mapping[str, str]) -> Row:
        """Return the row that a table holds as text; `ValueError` or `TypeError` where it is none."""
        values = {name: value for name, value in cells.items() if value != ""}
        kinds = {"network": str, "error": str, "budget": str, "width": int, "parameters": int, "steps": int}
        facts: dict[str, Any] = {name: kinds.get(name, float)(value) for name, value in values.items()}
        return cls(**facts)


def compare(
    samples: Sequence[Sample],
    *,
    networks: Sequence[NetworkConfig],
    recipe: Recipe,
    folder: Path,
    validation: Sequence[Sample] | None = None,
    device: str = "auto",
    keep: Callable[[Row], None] | None = None,
) -> Generator[Event, None, list[Row]]:
    """Train each network with `recipe`, write NAME.safetensors into `folder`, and return a row for each.

    All of them learn from the same images and are scored on the same ones that are held back (by the recipe's seed, or
    `validation`). One that cannot learn is told, and its row says why. `keep` gets each row as soon as it is there.
    """
    rows: list[Row] = []
    for number, config in enumerate(networks, start=1):
        name = config.architecture
        yield Note(f"{name} ({number} of {len(networks)})")
        try:
            own = recipe.replace(network=config, patch=_patch(recipe, config=config))
            output = folder / f"{name}.safetensors"
            yield from train.run(samples, recipe=own, output=output, validation=validation, device=device)
            rows.append(_row(load_model(output), device=device, budget=in_words(recipe)))
        except UnetSegError as error:
            yield Note(f"{name}: {error}")
            rows.append(Row(name, config.width, error=str(error), budget=in_words(recipe)))
        if keep is not None:
            keep(rows[-1])
    return rows


def _patch(recipe: Recipe, *, config: NetworkConfig) -> tuple[int, ...] | None:
    """Return the recipe's patch, as much larger as this network's divisor asks."""
    if recipe.patch is None:
        return None
    return tuple(-(-edge // step) * step for edge, step in zip(recipe.patch, divisor(config), strict=True))


def _row(model: Model, *, device: str, budget: str) -> Row:
    config, record = model.card.network, model.card.training
    assert record is not None
    size = size_of(config)
    return Row(
        config.architecture,
        config.width,
        parameters=size.parameters,
        gmacs_per_mpx=macs_per_pixel(config) / 1000,
        mib_per_mpx=size.bytes_per_pixel * 1e6 / 2**20,
        steps=record.steps,
        seconds=record.seconds,
        ap50=record.scores.get("ap0.50"),
        mean_ap=record.scores.get("mean_ap"),
        foreground_iou=record.scores.get("foreground_iou"),
        ms_per_mpx=time_prediction(model, device=device),
        budget=budget,
    )


def time_prediction(model: Model, *, device: str = "auto") -> float:
    """Return the milliseconds that a million pixels take, from normalised image to maps: the fastest of three."""
    config = model.card.network
    predictor = Predictor(model.network, target=model.card.target, tiling=TilingConfig(device=device))
    cells = simulate(TIMED[config.ndim], seed=0)[0][None]
    image = normalize.apply(cells, stretch=normalize.measure([cells], config=model.card.normalization))
    image = np.repeat(image, config.in_channels, axis=0)
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in predictor.predict(image):
            pass
        seconds.append(time.perf_counter() - began)
    return 1e3 * min(seconds) / (cells.size / 1e6)
