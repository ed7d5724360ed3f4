"""Half the binary cross entropy plus Dice, by hand; log-odds of softmax probabilities."""

from __future__ import annotations

import math

import pytest
import torch

from napari_unetseg.networks.one_vs_rest import bce_dice_loss, log_odds


def test_log_odds_of_two_classes_are_the_difference_of_their_logits() -> None:
    logits = torch.tensor([[3.0, 100.0, -100.0], [1.0, -100.0, 100.0]]).T.reshape(3, 2, 1, 1)
    assert log_odds(logits)[:, 1].flatten().tolist() == pytest.approx([-2, -200, 200])
    assert log_odds(logits)[:, 0].flatten().tolist() == pytest.approx([2, 200, -200])


def test_log_odds_are_those_of_the_softmax_and_so_is_their_gradient() -> None:
    torch.manual_seed(0)
    logits = (3 * torch.randn(2, 5, 4, dtype=torch.float64)).requires_grad_()
    (own,) = torch.autograd.grad(log_odds(logits).square().sum(), logits)
    (plain,) = torch.autograd.grad(logits.softmax(dim=1).logit().square().sum(), logits)
    torch.testing.assert_close(own, plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(log_odds(logits).double(), logits.softmax(dim=1).logit(), rtol=1e-5, atol=1e-5)


def test_equal_logits_are_even() -> None:
    logits = torch.zeros(1, 3, 2, requires_grad=True)
    odds = log_odds(logits)
    assert odds.flatten().tolist() == pytest.approx([math.log(1 / 2)] * 6)
    odds.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_two_samples_by_hand() -> None:
    """p = 0.9 and 0.2 in a sample with truth 1, 0; p = 0.6 in one whose other pixel is not annotated."""
    p = torch.tensor([[0.9, 0.2], [0.6, 0.5]])
    logits = torch.stack([(1 - p).log(), p.log()], dim=1)[:, :, None]
    target = torch.tensor([[[1, 0]], [[1, -1]]])
    entropy = -(math.log(0.9) + math.log(0.8) + math.log(0.6)) / 3
    dice = (2 * 0.9 / (1.1 + 1) + 2 * 0.6 / (0.6 + 1)) / 2
    assert bce_dice_loss(logits, target).item() == pytest.approx(0.5 * entropy + 1 - dice, rel=1e-4)
    weight = torch.tensor([[[3.0, 1.0]], [[1.0, 9.0]]])
    weighted = -(3 * math.log(0.9) + math.log(0.8) + math.log(0.6)) / 3  # by pixels, not by the sum of weights
    assert bce_dice_loss(logits, target, weight).item() == pytest.approx(0.5 * weighted + 1 - dice, rel=1e-4)


def test_three_classes_by_hand() -> None:
    """One pixel of class 2 with probabilities 1/2, 1/8, 3/8: cross entropies of 7/8 and 3/8, Dice of both at once."""
    logits = torch.tensor([1 / 2, 1 / 8, 3 / 8]).log().view(1, 3, 1, 1)
    entropy = -(math.log(7 / 8) + math.log(3 / 8)) / 2
    dice = 2 * (3 / 8) / (1 / 8 + 3 / 8 + 1)
    loss = bce_dice_loss(logits, torch.tensor([[[2]]]))
    assert loss.item() == pytest.approx(0.5 * entropy + 1 - dice, rel=1e-4)


def test_dice_is_of_what_is_sure_alone() -> None:
    torch.manual_seed(0)
    logits, target, weight = torch.randn(1, 3, 4, 4), torch.randint(0, 3, (1, 4, 4)), torch.zeros(1, 4, 4)
    sure = target.clone()
    sure[:, 2:] = -1
    given = bce_dice_loss(logits, target, weight, sure=sure)
    assert given.item() == pytest.approx(bce_dice_loss(logits[:, :, :2], target[:, :2], weight[:, :2]).item())
    assert given.item() != pytest.approx(bce_dice_loss(logits, target, weight).item())
