"""Losses: hand-computed values, limits, ignored pixels."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch import Tensor

from napari_unetseg.networks.losses import (
    SegmentationLoss,
    distance_loss,
    focal_loss,
    soft_dice_loss,
    weighted_cross_entropy,
)
from napari_unetseg.schema.config import LossConfig, LossKind, TargetConfig
from napari_unetseg.schema.errors import InputError

KINDS = get_args(LossKind)


def target_of(kind: str) -> TargetConfig:
    """Return the classes a loss is for: three, or two."""
    return TargetConfig(kind="semantic", classes=2) if kind == "lovasz_hinge" else TargetConfig(kind="boundary")


def two_pixels(probability: float) -> tuple[Tensor, Tensor]:
    """Logits of a 1x2 image whose true classes (0 and 1) both have `probability`."""
    high, low = math.log(probability), math.log(1 - probability)
    logits = torch.tensor([[[[high, low]], [[low, high]]]])
    return logits, torch.tensor([[[0, 1]]])


def test_cross_entropy_by_hand() -> None:
    logits, target = two_pixels(0.9)
    weight = torch.tensor([[[1.0, 3.0]]])
    assert weighted_cross_entropy(logits, target).item() == pytest.approx(-math.log(0.9))
    # divided by the two pixels, not by the sum of weights: a heavier map pushes harder
    assert weighted_cross_entropy(logits, target, weight).item() == pytest.approx(-math.log(0.9) * 4 / 2)
    assert weighted_cross_entropy(logits, target, 2 * weight).item() == pytest.approx(-math.log(0.9) * 8 / 2)


def test_ignored_pixels_do_not_count() -> None:
    torch.manual_seed(0)
    logits, target, weight = torch.randn(2, 3, 4, 4), torch.randint(0, 3, (2, 4, 4)), torch.rand(2, 4, 4)
    target[:, 2:] = -1
    logits[:, :, 2:] = torch.nan  # whatever stands there
    for loss in (weighted_cross_entropy, focal_loss):
        kept = loss(logits[:, :, :2], target[:, :2], weight[:, :2])
        assert loss(logits.nan_to_num(7), target, weight).item() == pytest.approx(kept.item())
    assert soft_dice_loss(logits.nan_to_num(7), target).item() == pytest.approx(
        soft_dice_loss(logits[:, :, :2], target[:, :2]).item()
    )
    distance = torch.rand(2, 4, 4)
    assert distance_loss(logits[:, 0].nan_to_num(7), distance, weight, target).item() == pytest.approx(
        distance_loss(logits[:, 0, :2], distance[:, :2], weight[:, :2], target[:, :2]).item()
    )


def test_focal_without_focusing_is_the_cross_entropy() -> None:
    torch.manual_seed(0)
    logits, target, weight = torch.randn(2, 3, 5, 5), torch.randint(-1, 3, (2, 5, 5)), torch.rand(2, 5, 5)
    expected = weighted_cross_entropy(logits, target, weight)
    assert focal_loss(logits, target, weight, gamma=0.0).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(("probability", "factor"), [(0.9, 100), (0.968, 1 / 0.032**2)])
def test_focal_quietens_what_is_right_already(probability: float, factor: float) -> None:
    """Lin et al. 2017, section 3.2: with gamma 2, 100 times less at 0.9 and about 1000 times at 0.968."""
    logits, target = two_pixels(probability)
    ratio = weighted_cross_entropy(logits, target) / focal_loss(logits, target, gamma=2.0)
    assert ratio.item() == pytest.approx(factor, rel=1e-3)


def test_dice_by_hand() -> None:
    logits, target = two_pixels(0.9)  # class 1: p = 0.1, 0.9; t = 0, 1
    assert soft_dice_loss(logits, target, smooth=1.0).item() == pytest.approx(1 - (2 * 0.9 + 1) / (1 + 1 + 1))


def test_dice_is_zero_for_a_perfect_and_high_for_a_wrong_prediction() -> None:
    target = torch.tensor([[[0, 1, 2, 2]]]).repeat(1, 50, 1)
    perfect = torch.nn.functional.one_hot(target, 3).movedim(-1, 1) * 200.0 - 100
    assert soft_dice_loss(perfect, target).item() == pytest.approx(0, abs=1e-6)
    assert soft_dice_loss(-perfect, target).item() > 0.4


def test_distance_by_hand() -> None:
    prediction = torch.tensor([[[0.5, 2.0, -1.0]]])
    distance = torch.tensor([[[1.0, 0.0, 0.5]]])
    weight = torch.tensor([[[2.0, 1.0, 9.0]]])
    target = torch.tensor([[[1, 0, -1]]])
    assert distance_loss(prediction, distance, weight, target).item() == pytest.approx((2 * 0.5 + 2.0) / 2)
    assert distance_loss(prediction, distance, None, target).item() == pytest.approx((0.5 + 2.0) / 2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_finite_at_extreme_logits(kind: str, gamma: float) -> None:
    target = target_of(kind)
    count = target.class_count
    loss = SegmentationLoss(LossConfig.model_validate({"kind": kind, "focal_gamma": gamma}), target)
    torch.manual_seed(0)
    logits = (100.0 * torch.randint(-1, 2, (2, count, 6, 6))).requires_grad_()
    value = loss(logits, torch.randint(-1, count, (2, 6, 6)), None, torch.ones(2, 6, 6))
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_annotated_gives_zero_and_no_gradient(kind: str) -> None:
    target = TargetConfig(kind="distance" if kind == "lovasz_hinge" else "both")
    loss = SegmentationLoss(LossConfig.model_validate({"kind": kind}), target)
    output = torch.randn(1, target.out_channels, 4, 4, requires_grad=True)
    value = loss(output, torch.full((1, 4, 4), -1), torch.zeros(1, 4, 4), torch.ones(1, 4, 4))
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-7)
    assert output.grad is not None
    assert output.grad.abs().max() == 0


def test_module_adds_up_what_the_recipe_names() -> None:
    torch.manual_seed(0)
    output, classes = torch.randn(2, 4, 3, 5, 5), torch.randint(-1, 3, (2, 3, 5, 5))
    distance, weight = torch.rand(2, 3, 5, 5), torch.rand(2, 3, 5, 5)
    loss = SegmentationLoss(LossConfig(kind="cross_entropy_dice", distance_weight=3), TargetConfig(kind="both"))
    expected = (
        weighted_cross_entropy(output[:, :3], classes, weight)
        + soft_dice_loss(output[:, :3], classes)
        + 3 * distance_loss(output[:, 3], distance, weight, classes)
    )
    assert loss(output, classes, distance, weight).item() == pytest.approx(expected.item())


def test_two_classes_and_distance() -> None:
    output, classes = torch.randn(1, 3, 4, 4), torch.randint(0, 2, (1, 4, 4))
    distance = torch.rand(1, 4, 4)
    loss = SegmentationLoss(LossConfig(), TargetConfig(kind="distance"))
    expected = weighted_cross_entropy(output[:, :2], classes) + distance_loss(output[:, 2], distance, None, classes)
    assert loss(output, classes, distance, None).item() == pytest.approx(expected.item())
    with pytest.raises(InputError, match="needs a distance map"):
        loss(output, classes, None, None)


def test_low_precision_logits_are_summed_in_float32() -> None:
    output = torch.randn(1, 3, 64, 64).bfloat16()
    value = SegmentationLoss(LossConfig(), TargetConfig(kind="boundary"))(
        output, torch.randint(0, 3, (1, 64, 64)), None, torch.ones(1, 64, 64)
    )
    assert value.dtype == torch.float32


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_pixels_without_annotation_does_not_count(kind: str) -> None:
    loss, count = (
        SegmentationLoss(LossConfig.model_validate({"kind": kind}), target_of(kind)),
        target_of(kind).class_count,
    )
    torch.manual_seed(0)
    logits, classes = torch.randn(2, count, 3, 4, 4), torch.randint(0, count, (2, 3, 4, 4))
    classes[:, 1] = -1
    other = logits.clone()
    other[:, :, 1] = 50 * torch.randn(2, count, 4, 4)
    kept = [axis for axis in range(3) if axis != 1]
    expected = loss(logits[:, :, kept], classes[:, kept], None, None)
    assert loss(other, classes, None, None).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_perfect_and_certain_prediction_costs_nothing(kind: str) -> None:
    loss, count = (
        SegmentationLoss(LossConfig.model_validate({"kind": kind}), target_of(kind)),
        target_of(kind).class_count,
    )
    classes = torch.arange(count).repeat(50).view(1, -1, 1).repeat(2, 1, 1)
    perfect = torch.nn.functional.one_hot(classes, count).movedim(-1, 1) * 200.0 - 100
    assert loss(perfect, classes, None, None).item() == pytest.approx(0, abs=1e-6)
    assert loss(-perfect, classes, None, None).item() > 0.4


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_steps_along_the_gradient_make_it_smaller(kind: str) -> None:
    loss, count = (
        SegmentationLoss(LossConfig.model_validate({"kind": kind}), target_of(kind)),
        target_of(kind).class_count,
    )
    torch.manual_seed(0)
    logits, classes = torch.randn(2, count, 8, 8, requires_grad=True), torch.randint(-1, count, (2, 8, 8))
    optimizer, values = torch.optim.Adam([logits], lr=0.1), []
    for _ in range(10):
        values.append(loss(logits, classes, None, torch.ones(2, 8, 8)))
        optimizer.zero_grad()
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.8 * values[0]


def test_an_unknown_loss_is_told_the_nearest() -> None:
    with pytest.raises(
        ValueError, match=r"no loss 'lovas_softmax'; known: cross_entropy, .*did you mean 'lovasz_softmax'"
    ):
        LossConfig.model_validate({"kind": "lovas_softmax"})
