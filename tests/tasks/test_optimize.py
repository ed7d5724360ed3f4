"""The schedule rises, falls, and the average follows the weights."""

from __future__ import annotations

import pytest
import torch

from napari_unetseg.schema.config import Recipe
from napari_unetseg.tasks.optimize import learning_rate, make_optimizer, update_average

RECIPE = Recipe(learning_rate=1e-2, warmup=0.1)


@pytest.mark.parametrize(
    ("fraction", "expected"),
    [(0.0, 1e-4), (0.05, 5e-3), (0.1, 1e-2), (0.55, 1e-2 * (0.01 + 0.99 / 2)), (1.0, 1e-4), (1.3, 1e-4)],
)
def test_learning_rate(fraction: float, expected: float) -> None:
    assert learning_rate(fraction, recipe=RECIPE) == pytest.approx(expected)


def test_only_kernels_decay() -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    groups = make_optimizer(network, recipe=RECIPE.replace(weight_decay=0.1)).param_groups
    assert [(len(group["params"]), group["weight_decay"]) for group in groups] == [(1, 0.1), (3, 0.0)]


def test_the_average_of_constant_weights_is_those_weights() -> None:
    network, average = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    for step in range(200):
        update_average(average, network, decay=0.9, step=step)
    torch.testing.assert_close(average.weight, network.weight)


def test_the_average_moves_by_its_decay() -> None:
    network, average = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    with torch.no_grad():
        network.weight.fill_(1.0)
        average.weight.fill_(0.0)
    update_average(average, network, decay=0.75, step=1000)
    assert float(average.weight) == pytest.approx(0.25)
