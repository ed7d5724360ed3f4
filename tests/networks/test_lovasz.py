"""The Lovasz extension of 1 - IoU: steps by hand, its value where pixels are right or wrong, what is left out."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from napari_unetseg.networks.lovasz import jaccard_steps, lovasz_hinge, lovasz_softmax

FAR = 100.0  # a logit whose probability is 1


@pytest.mark.parametrize(
    ("truth", "steps"),
    [
        # foreground 1: a miss leaves nothing in common, what is found falsely then adds nothing
        ([1, 0], [1, 0]),
        ([0, 1], [1 / 2, 1 / 2]),
        # foreground 2 of 3: 1 - IoU after each is 1/3, 2/3, 1 | 1/2, 2/3, 1 | 1/2, 1, 1
        ([0, 1, 1], [1 / 3, 1 / 3, 1 / 3]),
        ([1, 0, 1], [1 / 2, 1 / 6, 1 / 3]),
        ([1, 1, 0], [1 / 2, 1 / 2, 0]),
        # foreground 2 of 4: 1/3, 1/2, 3/4, 1
        ([0, 0, 1, 1], [1 / 3, 1 / 6, 1 / 4, 1 / 4]),
        # without foreground one pixel is wrong or none
        ([0, 0, 0], [1, 0, 0]),
        ([1], [1]),
    ],
)
def test_steps_by_hand(truth: list[int], steps: list[float]) -> None:
    assert jaccard_steps(torch.tensor(truth, dtype=torch.bool)).tolist() == pytest.approx(steps)


def as_logits(odds: Tensor) -> Tensor:
    """Logits (1, 2, 1, n) of these log-odds of the foreground."""
    return torch.stack([-odds / 2, odds / 2]).view(1, 2, 1, -1)


def test_hinge_and_its_gradient_by_hand() -> None:
    """Errors 1 + 1 = 2, 1 - 0.5 = 0.5 and, of a pixel that is right by 3, 0; steps 1/2 (miss), 1/6 (false), 1/3."""
    odds = torch.tensor([-1.0, -0.5, 3.0], requires_grad=True)
    loss = lovasz_hinge(as_logits(odds), torch.tensor([[[1, 0, 1]]]))
    assert loss.item() == pytest.approx(2 / 2 + 0.5 / 6)
    loss.backward()
    assert odds.grad is not None
    assert odds.grad.tolist() == pytest.approx([-1 / 2, 1 / 6, 0])


def test_softmax_and_its_gradient_by_hand() -> None:
    """Of two pixels, one of each class, with p_1 = 1/2 and 3/4: errors 1/2 and 1/4 in both classes."""
    odds = torch.tensor([0.0, math.log(3)], requires_grad=True)
    loss = lovasz_softmax(as_logits(odds), torch.tensor([[[0, 1]]]))
    # class 1: false 1/2 first, steps 1/2 and 1/2; class 0: the miss first, steps 1 and 0
    assert loss.item() == pytest.approx(((0.5 + 0.25) / 2 + 0.5) / 2)
    loss.backward()
    assert odds.grad is not None
    slopes = 1 / 4, 3 / 16  # p (1 - p)
    assert odds.grad.tolist() == pytest.approx([slopes[0] * (1 / 2 + 1) / 2, -slopes[1] * (1 / 2 + 0) / 2])


@pytest.mark.parametrize("wrong", list(product([False, True], repeat=4)))
def test_where_pixels_are_right_or_wrong_it_is_one_minus_the_iou(wrong: tuple[bool, ...]) -> None:
    truth, flips = torch.tensor([1, 1, 0, 0]), torch.tensor(wrong)
    found = truth.bool() ^ flips
    iou = float((found & truth.bool()).sum() / (found | truth.bool()).sum())
    # the hinge of a pixel that is wrong by nothing is 1, of one that is right by 1 it is 0
    odds = torch.where(flips, 0.0, 1.0) * torch.where(truth == 1, 1.0, -1.0)
    assert lovasz_hinge(as_logits(odds), truth.view(1, 1, 4)).item() == pytest.approx(1 - iou)
    background = float((~found & (truth == 0)).sum() / (~found | (truth == 0)).sum())
    certain = as_logits(FAR * torch.where(found, 1.0, -1.0))
    assert lovasz_softmax(certain, truth.view(1, 1, 4)).item() == pytest.approx(1 - (iou + background) / 2)


def test_classes_that_a_sample_does_not_have_are_left_out() -> None:
    torch.manual_seed(0)
    target = torch.randint(0, 2, (1, 5, 5))
    logits = torch.randn(1, 2, 5, 5)
    third = torch.cat([logits, torch.full((1, 1, 5, 5), -FAR)], dim=1)
    assert lovasz_softmax(third, target).item() == pytest.approx(lovasz_softmax(logits, target).item())


@pytest.mark.parametrize("loss", [lovasz_hinge, lovasz_softmax])
def test_samples_count_alike_unless_nothing_is_annotated(loss) -> None:
    torch.manual_seed(0)
    logits, target = torch.randn(3, 2, 2, 6, 6), torch.randint(-1, 2, (3, 2, 6, 6))
    target[2] = -1
    each = [loss(logits[index : index + 1], target[index : index + 1]).item() for index in range(2)]
    assert loss(logits, target).item() == pytest.approx(sum(each) / 2)


def test_steps_of_many_pixels_are_not_lost_to_rounding() -> None:
    """As differences of 1 - IoU in float32 they would be off by percents."""
    truth = torch.rand(1 << 20, generator=torch.Generator().manual_seed(0)) < 0.5
    size, misses = truth.sum().double(), truth.double().cumsum(0)
    iou = (size - misses) / (size + torch.arange(1, len(truth) + 1) - misses)
    exact = (1 - iou).diff(prepend=torch.zeros(1, dtype=torch.float64))
    torch.testing.assert_close(jaccard_steps(truth).double(), exact, rtol=1e-5, atol=1e-14)
