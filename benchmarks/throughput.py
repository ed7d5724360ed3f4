"""How much of a training is forward and backward of the network: python benchmarks/throughput.py.

Steps of `train` against bare passes (forward, loss, backward) over one batch that lies ready, in turn; what is left is
patches, augmentation, targets and weights, the optimiser's step, and the average of the weights. On a CPU all share the
cores, so the ratio says how much of the machine goes into the network.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from datasets import samples
from report import publish

from napari_unetseg.networks import registry
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.schema.config import NetworkConfig, Recipe
from napari_unetseg.schema.events import StepDone
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks import train
from napari_unetseg.tasks.patches import PatchSampler, choose_patch
from napari_unetseg.tasks.samples import Sample, prepare

CASES = (("usiigaci_t98g_phase", 16), ("dsb2018_fluo", 16), ("dsb2018_fluo", 24), ("dsb2018_fluo", 32))


def main() -> None:
    """Measure every case and publish the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    rows = []
    for name, width in CASES:
        training = samples(name, "train")
        recipe = Recipe(network=NetworkConfig(width=width), steps=options.steps, validation=0.0, validate_every=1.0)
        network = registry.build(recipe.network)
        ready = prepare(training, ndim=2, channels=1, config=recipe.normalization)
        recipe = recipe.replace(patch=choose_patch(ready, divisor=network.divisor))
        bare, whole = [], []
        for _ in range(options.rounds):
            bare.append(_bare(ready, recipe, device=options.device))
            whole.append(_whole(training, recipe, device=options.device))
        fact: dict[str, Any] = {"data": name, "width": width, "patch": recipe.patch, "batch": recipe.batch}
        seconds = statistics.median(whole)
        fact |= {"patches / s": recipe.batch / seconds, "share of the network": statistics.median(bare) / seconds}
        rows.append(fact)
        print(fact, bare, whole, flush=True)
    publish("throughput", rows, steps=options.steps)


def _whole(training: list[Sample], recipe: Recipe, *, device: str) -> float:
    """Return the seconds of a step of a training; its first tenth warms up."""
    with tempfile.TemporaryDirectory() as folder:
        job = train.run(training, recipe=recipe, output=Path(folder) / "m.safetensors", validation=[], device=device)
        times = [time.perf_counter() for event in job if isinstance(event, StepDone)]
    assert recipe.steps is not None
    first = recipe.steps // 10
    last = recipe.steps - recipe.steps // 10  # the run saves at its end
    return (times[last - 1] - times[first]) / (last - 1 - first)


def _bare(ready: list[Sample], recipe: Recipe, *, device: str) -> float:
    """Return the seconds of forward, loss and backward of one batch."""
    place = devices.choose_device(device)
    network = devices.place(registry.build(recipe.network), device=place).train()
    batch = PatchSampler(ready, recipe=recipe).batch(0).to(place)
    images = batch.images.contiguous(memory_format=devices.memory_format(2))
    loss_function = SegmentationLoss(recipe.loss, recipe.target)
    dtype = devices.choose_dtype(recipe.precision, device=place)
    times = []
    assert recipe.steps is not None
    for _ in range(max(6, recipe.steps // 3)):
        began = time.perf_counter()
        with torch.autocast(place.type, dtype=dtype) if dtype is not torch.float32 else nullcontext():
            logits = network(images)
        loss = loss_function(logits.float(), batch.classes, batch.distance, batch.weights)
        for parameter in network.parameters():
            parameter.grad = None
        loss.backward()
        if place.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.mean(times[2:])


if __name__ == "__main__":
    main()
