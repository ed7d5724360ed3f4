"""Which layers of a model should a few painted cells change, how fast, and what does it forget? Run it without options.

Every run tunes the bundled model on painted cells of one image, drawn by the seed, and scores it on the validation
images of that set and of the set the model comes from. Unless `--variants` names some, all are tried. `mixed`: weights
between those of the start and the tuned ones (Wortsman et al. 2022, WiSE-FT), so much of the latter.
"""

from __future__ import annotations

import argparse
import copy
import itertools
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from few_cells_runs import FLUO, do_missing, few_images, held_images, tune
from scoring import score_model
from torch.nn.modules.batchnorm import _BatchNorm

from napari_unetseg.networks import registry
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import NetworkConfig, Recipe
from napari_unetseg.tasks import train
from napari_unetseg.tasks.model import Model, load_model

START = "nuclei"
MIXED = (0.3, 0.5, 0.7)


@dataclass(frozen=True, slots=True)
class Change:
    """A way to tune: the peak rate, that of the encoder by comparison, and whether BatchNorm keeps its statistics."""

    rate: float = 1e-3
    encoder: float = 1.0
    keeps_statistics: bool = False
    from_scratch: bool = False


VARIANTS = {
    "default": Change(),
    "rate 3e-3": Change(rate=3e-3),
    "rate 3e-4": Change(rate=3e-4),
    "rate 1e-4": Change(rate=1e-4),
    "encoder at a tenth": Change(encoder=0.1),
    "decoder only": Change(encoder=0.0, keeps_statistics=True),
    "statistics kept": Change(keeps_statistics=True),
    "scratch": Change(from_scratch=True),
}


class ScaledAdamW(torch.optim.AdamW):
    """AdamW whose groups have a `scale` of the rate that the schedule gives to all of them."""

    def step(self, closure: Any = None) -> Any:
        """Scale the rates, which the next step sets anew, and take a step."""
        for group in self.param_groups:
            group["lr"] *= group["scale"]
        return super().step(closure)


def main() -> None:
    """Do the runs that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="usiigaci_t98g_phase")
    parser.add_argument("--cells", nargs="+", type=int, default=[5, 20, 100])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS, metavar="NAME")
    options = parser.parse_args()
    names = ("data", "cells", "steps", "variant", "seed")
    asked = itertools.product(options.seeds, options.cells, options.variants)
    keys = [
        dict(zip(names, (options.data, cells, options.steps, variant, seed), strict=True))
        for seed, cells, variant in asked
    ]
    do_missing("fine_tune", keys, _measure)


def _measure(*, data: str, cells: int, steps: int, variant: str, seed: int) -> dict[str, Any]:
    change = VARIANTS[variant]
    start = None if change.from_scratch else load_model(START)
    given = few_images(data, cells=cells, seed=seed)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(train, "make_optimizer", _optimizer_of(change)))
        if change.keeps_statistics:
            stack.enter_context(mock.patch.object(registry, "build", _with_kept_statistics(registry.build)))
        card = None if start is None else start.card
        tuned = tune(given, start=start, card=card, steps=steps, seed=seed, learning_rate=change.rate)
    scores = _scores(tuned, data=data)
    if start is not None and change.encoder == 1 and not change.keeps_statistics:
        for share in MIXED:
            mixed = _scores(_mixed(start, tuned, share=share), data=data)
            scores |= {f"{name}, mixed {share:g}": value for name, value in mixed.items()}
    return scores


def _scores(model: Model, *, data: str) -> dict[str, float]:
    """Return AP@0.5 on the set that was learnt and, for what has its channels, on fluorescence."""
    scores = {"AP@0.5": score_model(model, held_images(data))["AP@0.5"]}
    if model.card.network.in_channels == 1:
        scores["fluorescence"] = score_model(model, held_images(FLUO))["AP@0.5"]
    return scores


def _optimizer_of(change: Change) -> Any:
    """Return what makes the optimiser of a recipe, kernels and other weights apart as in `tasks.optimize`."""

    def make(network: torch.nn.Module, *, recipe: Recipe) -> torch.optim.Optimizer:
        groups = []
        named = list(network.named_parameters())
        for (is_encoder, scale), is_kernel in itertools.product([(True, change.encoder), (False, 1.0)], [True, False]):
            chosen = [
                value
                for name, value in named
                if name.startswith("encoder") == is_encoder and (value.ndim > 1) == is_kernel
            ]
            groups.append({"params": chosen, "weight_decay": recipe.weight_decay * is_kernel, "scale": scale})
        return ScaledAdamW(groups, lr=recipe.learning_rate)

    return make


def _with_kept_statistics(build: Any) -> Any:
    """Return a builder of networks whose BatchNorm stays in evaluation mode."""

    def kept(config: NetworkConfig) -> Network:
        network: Network = build(config)
        usual = network.train

        def train_but_for_statistics(mode: bool = True) -> Network:
            usual(mode)
            for module in network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
            return network

        network.train = train_but_for_statistics  # type: ignore[method-assign]
        return network

    return kept


def _mixed(start: Model, tuned: Model, *, share: float) -> Model:
    """Return (1 - share) start + share tuned."""
    mixed = copy.deepcopy(tuned)
    before = start.network.state_dict()
    for name, value in mixed.network.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.lerp(before[name], value, share))
    return mixed


if __name__ == "__main__":
    main()
