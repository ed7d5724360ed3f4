"""Section of gpu.py about training: patches a second of real steps against the bare forward and backward pass."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import roofline
import torch
from gpu_setup import Rows, Setup

from napari_unetseg.images.simulate import simulate
from napari_unetseg.networks import registry
from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.optimize import make_optimizer
from napari_unetseg.tasks.patches import Batch, PatchSampler, prefetch
from napari_unetseg.tasks.samples import Sample, prepare

LAYOUTS = {"channels-last": torch.channels_last, "NCHW": torch.contiguous_format}


def training(setup: Setup) -> Rows:
    """Time bare passes in several formats, then the steps of `train` on data already there, then with its patches."""
    recipe = Recipe(network=setup.base, patch=setup.pick((64, 64), (256, 256)), batch=setup.pick(2, 16))
    assert recipe.patch is not None
    rows: Rows = []
    for precision in ("float32", "bfloat16"):
        of_format = recipe.replace(precision=precision)
        batch = _random_batch(of_format, device=setup.device)
        found = [_row(name, run, setup=setup, recipe=of_format) for name, run in _bare_passes(of_format, batch, setup)]
        found += _steps(of_format, batch, setup=setup)
        bare = found[0]["patches/s"]
        rows += [{**row, "/ bare": row["patches/s"] / bare if bare else None} for row in found]
    return rows


def _bare_passes(recipe: Recipe, batch: Batch, setup: Setup) -> Iterator[tuple[str, Callable[[], object]]]:
    for layout, is_compiled in (("channels-last", False), ("NCHW", False), ("channels-last", True)):
        if is_compiled and (not setup.is_cuda or setup.left < 150 or recipe.precision == "float32"):
            continue
        run = _bare(recipe, batch, layout=LAYOUTS[layout], is_compiled=is_compiled, device=setup.device)
        yield f"forward and backward, {layout}{', compiled' if is_compiled else ''}", run


def _row(what: str, run: Callable[[], object], *, setup: Setup, recipe: Recipe) -> dict[str, Any]:
    try:
        speed, note = recipe.batch / roofline.best_of(run, device=setup.device, rounds=setup.pick(2, 15)), ""
    except Exception as error:  # noqa: BLE001  (told in the table)
        speed, note = 0.0, f"{type(error).__name__}: {error}".splitlines()[0][:200]
    return {"what": what, "precision": recipe.precision, "patches/s": speed, "note": note}


def _random_batch(recipe: Recipe, *, device: torch.device) -> Batch:
    assert recipe.patch is not None
    shape = (recipe.batch, *recipe.patch)
    classes = torch.randint(recipe.target.class_count, shape, device=device)
    images, distance, weights = (torch.rand(shape, device=device) for _ in range(3))
    return Batch(images[:, None], classes, distance, weights)


def _cast(recipe: Recipe, *, device: torch.device) -> AbstractContextManager[object]:
    dtype = devices.choose_dtype(recipe.precision, device=device)
    return torch.autocast(device.type, dtype=dtype) if dtype is not torch.float32 else nullcontext()


def _bare(
    recipe: Recipe, batch: Batch, *, layout: torch.memory_format, is_compiled: bool, device: torch.device
) -> Callable[[], object]:
    network: Network = registry.build(recipe.network).to(device).to(memory_format=layout).train()  # type: ignore[call-overload]
    run = torch.compile(network, dynamic=False) if is_compiled else network
    images = batch.images.contiguous(memory_format=layout)

    def passes() -> None:
        with _cast(recipe, device=device):
            logits = run(images)
        logits.float().square().mean().backward()
        network.zero_grad(set_to_none=True)

    return passes


def _steps(recipe: Recipe, batch: Batch, *, setup: Setup) -> Rows:
    """Time the steps that `train` takes: with one batch that is on the device, and with drawn and augmented patches."""
    try:
        from napari_unetseg.tasks.budget import Clock
        from napari_unetseg.tasks.checkpoint import Progress
        from napari_unetseg.tasks.step import Run, take_step
    except ImportError as error:  # they need zarr
        return [{"what": "steps of train", "precision": recipe.precision, "patches/s": 0.0, "note": str(error)}]
    network = devices.place(registry.build(recipe.network), device=setup.device)
    run_ = Run(network, copy.deepcopy(network), make_optimizer(network, recipe=recipe), Progress(), Clock())
    loss = SegmentationLoss(recipe.loss, target=recipe.target)

    def step(batch: Batch) -> object:
        run_.progress.step += 1
        return take_step(run_, batch=batch, loss_function=loss, recipe=recipe, device=setup.device)

    sampler = PatchSampler(_samples(setup, recipe), recipe=recipe)
    count = itertools.count()
    runs = {
        "steps, batch on the device": lambda: step(batch),
        "drawing patches, one thread": lambda: sampler.batch(next(count), device=setup.device),
    }
    rows = [_row(what, run, setup=setup, recipe=recipe) for what, run in runs.items()]
    speed = _whole_loop(prefetch(sampler, start=0, device=setup.device), step, recipe, setup)
    whole = {"what": "steps, patches drawn beside", "precision": recipe.precision, "patches/s": speed, "note": ""}
    return [*rows, whole]


def _whole_loop(batches: Iterator[Batch], step: Callable[[Batch], object], recipe: Recipe, setup: Setup) -> float:
    """Return the patches a second of the loop as a user gets it, after some steps to fill the queue."""
    rounds = setup.pick(3, 30)
    for _ in range(setup.pick(3, 10)):
        step(next(batches))
    roofline.synchronize(setup.device)
    began = time.perf_counter()
    for _ in range(rounds):
        step(next(batches))
    roofline.synchronize(setup.device)
    return recipe.batch * rounds / (time.perf_counter() - began)


def _samples(setup: Setup, recipe: Recipe) -> list[Sample]:
    """Return a simulated image with its labels."""
    edge = setup.pick(256, 1024)
    raw, labels = simulate((edge, edge), seed=2)
    sample = Sample(raw[None], labels.astype(np.int32), "simulated")
    return prepare([sample], ndim=2, channels=1, config=recipe.normalization)
