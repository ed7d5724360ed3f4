"""One optimiser step; numbers that are not finite, or beyond all bounds, change nothing."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace

import torch

from napari_unetseg.networks.losses import SegmentationLoss
from napari_unetseg.networks.network import Network
from napari_unetseg.networks.pixel_mean import IGNORE
from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks import device as devices
from napari_unetseg.tasks.budget import Clock, used
from napari_unetseg.tasks.checkpoint import Progress
from napari_unetseg.tasks.distributed import Team
from napari_unetseg.tasks.optimize import update_average
from napari_unetseg.tasks.patches import Batch

MAX_GRADIENT = 10.0
MAX_LOSS = 1e4
"""A loss that only a network has whose weights have come apart."""
BORDER_WEIGHT = 0.1
"""Factor of the losses of border outputs (Yu et al. 2018, section 4.1)."""
BELIEVED_FROM = 0.4
"""Share of the budget after which a network has learnt enough of the painted objects to be asked about the others."""


@dataclass(slots=True)
class Run:
    """What the loop changes."""

    network: Network
    average: Network
    optimizer: torch.optim.Optimizer
    progress: Progress
    clock: Clock
    team: Team

    def agree(self) -> Progress:
        """Look at the clock; of several processes all take over the counters of the first, and wait for it."""
        self.progress.seconds = self.clock.seconds
        self.progress = self.team.of_first(self.progress)
        return self.progress


def take_step(
    run_: Run, *, batch: Batch, loss_function: SegmentationLoss, recipe: Recipe, device: torch.device
) -> float:
    """One optimiser step; one with a loss or gradient not finite, or beyond all bounds, is counted, changes nothing."""
    torch.manual_seed(recipe.seed * 1_000_003 + run_.progress.step)  # dropout, the same when resumed
    dtype = devices.choose_dtype(recipe.precision, device=device)
    cast = torch.autocast(device.type, dtype=dtype) if dtype is not torch.float32 else nullcontext()
    run_.network.train()
    images = batch.images.contiguous(memory_format=devices.memory_format(recipe.network.ndim))
    statistics = [value.clone() for value in run_.network.buffers()]
    with cast:
        heads = run_.network.forward_heads(images)
    if recipe.weights.believed and used(run_.progress, recipe=recipe) >= BELIEVED_FROM:
        batch = _believing(batch, heads.logits[:, : recipe.target.class_count], strength=recipe.weights.believed)
    truth = (batch.classes, batch.distance, batch.weights, batch.unknown)
    loss = loss_function(heads.logits.float(), *truth)
    for logits in heads.deep:
        loss = loss + loss_function(logits.float(), *truth)
    sure = batch.classes if batch.unknown is None else batch.classes.masked_fill(batch.unknown, IGNORE)
    for logits in heads.border:
        loss = loss + BORDER_WEIGHT * loss_function.border(logits.float(), sure)
    run_.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    run_.team.add_gradients(run_.network)
    norm = torch.nn.utils.clip_grad_norm_(run_.network.parameters(), MAX_GRADIENT)
    if not (torch.isfinite(loss) and torch.isfinite(norm)) or loss > MAX_LOSS:
        run_.progress.skipped += 1
        for value, before in zip(run_.network.buffers(), statistics, strict=True):
            value.copy_(before)  # the forward pass has put what was not finite into BatchNorm's averages
        return float("nan")
    run_.progress.skipped = 0
    run_.optimizer.step()
    update_average(run_.average, run_.network, decay=recipe.ema, step=run_.progress.step)
    return float(loss.detach())


def _believing(batch: Batch, logits: torch.Tensor, *, strength: float) -> Batch:
    """Take pixels that nobody has annotated for background as far as the network itself does.

    Painted objects alone teach that everything is an object; taken for background outright, the objects that were not
    painted would be unlearnt. Squared, since what the network doubts is to weigh little.
    """
    if batch.unknown is None:
        return batch
    background = logits.detach().float().softmax(dim=1)[:, 0]
    return replace(
        batch,
        classes=batch.classes.masked_fill(batch.unknown, 0),
        weights=torch.where(batch.unknown, strength * background**2, batch.weights),
    )
