"""The learning-rate schedule as a pure function, the optimiser, and the running average of weights."""

from __future__ import annotations

import math

import torch

from napari_unetseg.schema.config import Recipe


def learning_rate(fraction: float, *, recipe: Recipe) -> float:
    """Return the rate when `fraction` of the budget is used: linear warm-up, then half a cosine down to 1 %.

    Loshchilov and Hutter 2017 (SGDR), eq. 5, one cycle.
    """
    if fraction < recipe.warmup:
        return recipe.learning_rate * max(fraction / recipe.warmup, 0.01)
    progress = min(1.0, (fraction - recipe.warmup) / (1 - recipe.warmup))
    return recipe.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))


def make_optimizer(network: torch.nn.Module, *, recipe: Recipe) -> torch.optim.Optimizer:
    """Return AdamW that decays convolution kernels only (not biases, not BatchNorm), Loshchilov and Hutter 2019."""
    kernels = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate)


def update_average(average: torch.nn.Module, network: torch.nn.Module, *, decay: float, step: int) -> None:
    """Move `average` towards `network`; early on it follows faster: decay is at most (1 + step) / (10 + step)."""
    decay = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)
