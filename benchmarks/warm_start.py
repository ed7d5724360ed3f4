"""Do a few painted cells teach more once the network has learnt to fill in hidden pixels? Run it without options.

Two trainings from scratch with the same steps in all: one on the painted cells alone, the other after a quarter of the
steps on the same images without labels. There 4 x 4 px squares, 30 % of each patch, are replaced by the patch's mean,
and what they held is predicted through a head that is then thrown away (squared error; as denoising autoencoders do,
Vincent et al. 2008, and masked ones, He et al. 2022). `left`: the error at the end, in units of the variance.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from few_cells_runs import do_missing, few_images, held_images, tune
from scoring import score_model
from torch.nn.functional import interpolate

from napari_unetseg.networks import registry
from napari_unetseg.networks.blocks import head
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.optimize import learning_rate, make_optimizer
from napari_unetseg.tasks.patches import PatchSampler, choose_patch
from napari_unetseg.tasks.samples import Sample, prepare
from napari_unetseg.tasks.start import start_recipe

EDGE, HIDDEN = 4, 0.3


def main() -> None:
    """Do the runs that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=["usiigaci_t98g_phase", "dsb2018_fluo"])
    parser.add_argument("--cells", nargs="+", type=int, default=[5, 20])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--steps", type=int, default=320)
    parser.add_argument("--warm", nargs="+", type=int, default=[0, 80], help="how many of the steps without labels")
    options = parser.parse_args()
    names = ("data", "cells", "steps", "warm", "seed")
    asked = itertools.product(options.seeds, options.data, options.cells, options.warm)
    keys = [
        dict(zip(names, (data, cells, options.steps, warm, seed), strict=True)) for seed, data, cells, warm in asked
    ]
    do_missing("warm_start", keys, _measure)


def _measure(*, data: str, cells: int, steps: int, warm: int, seed: int) -> dict[str, Any]:
    given = few_images(data, cells=cells, seed=seed)
    start, left = _warmed(given, steps=warm, seed=seed) if warm else (None, 1.0)
    scores = score_model(tune(given, start=start, card=None, steps=steps - warm, seed=seed), held_images(data))
    return {name: scores[name] for name in ("AP@0.5", "mean AP", "IoU")} | {"left": left}


def _warmed(given: list[Sample], *, steps: int, seed: int) -> tuple[Model, float]:
    """Return a network that has learnt to fill in, and the error that is left."""
    recipe = start_recipe(None, channels=len(given[0].image)).replace(seed=seed)
    torch.manual_seed(seed)
    network = registry.build(recipe.network)
    ready = prepare(given, ndim=2, channels=recipe.network.in_channels, config=recipe.normalization)
    patch = choose_patch(ready, divisor=network.divisor)
    anywhere = [replace(sample, labels=np.zeros_like(sample.labels)) for sample in ready]
    final, network.head = network.head, head(recipe.network.width, recipe.network.in_channels, ndim=2)
    for value in network.head.parameters():
        torch.nn.init.zeros_(value)  # so that the mean is what is predicted at first
    sampler = PatchSampler(anywhere, recipe=recipe.replace(patch=patch, seed=seed + 7))
    left = _fill_in(network, sampler, recipe=recipe, steps=steps)
    network.head = final
    card = ModelCard(
        name="warm",
        network=recipe.network,
        channels=tuple(f"channel {index}" for index in range(recipe.network.in_channels)),
        target=recipe.target,
    )
    return Model(card=card, network=network, path=Path("warm")), left


def _fill_in(network: Network, sampler: PatchSampler, *, recipe: Recipe, steps: int) -> float:
    optimizer = make_optimizer(network, recipe=recipe)
    network.train()
    errors = []
    for step in range(steps):
        images, _ = sampler.draw(step)
        mean = images.mean(dim=(2, 3), keepdim=True)
        is_hidden = _squares(images)
        seen = torch.where(is_hidden, mean, images).contiguous(memory_format=torch.channels_last)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step / steps, recipe=recipe)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            filled = network.forward_cropped(seen, [(0, 0)] * 2)
        variance = ((mean - images) ** 2 * is_hidden).sum()
        loss = ((filled.float() + mean - images) ** 2 * is_hidden).sum()
        optimizer.zero_grad()
        (loss / is_hidden.sum()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        errors.append(float(loss.detach() / variance))
    return float(np.mean(errors[-10:]))


def _squares(images: torch.Tensor) -> torch.Tensor:
    """Return which pixels to hide, `(N, 1, Y, X)`."""
    count, _, rows, columns = images.shape
    coarse = (torch.rand(count, 1, -(-rows // EDGE), -(-columns // EDGE)) < HIDDEN).float()
    return interpolate(coarse, scale_factor=EDGE, mode="nearest")[..., :rows, :columns] > 0


if __name__ == "__main__":
    main()
