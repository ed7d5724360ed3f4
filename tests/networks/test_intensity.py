"""Intensity changes: hand-computed cases and what each must leave alone."""

from __future__ import annotations

import math

import pytest
import torch

from napari_unetseg.networks.intensity import Intensity, change_intensity, draw_intensity
from napari_unetseg.schema.config import AugmentationConfig


def intensity(batch: int = 1, **changes: float) -> Intensity:
    """One change for all patches; by default none."""
    neutral = {"gamma": 1.0, "contrast": 1.0, "brightness": 0.0, "blur": 0.0, "noise": 0.0}
    drawn = {name: torch.full((batch,), value) for name, value in {**neutral, **changes}.items()}
    return Intensity(**drawn, noise_seed=torch.arange(batch) + 7)


def image(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_neutral_values_change_nothing() -> None:
    images = image(2, 1, 6, 7)
    assert torch.equal(change_intensity(images, intensity=intensity(2)), images)


def test_gamma_by_hand_keeps_the_range() -> None:
    images = torch.tensor([[[[-1.0, 0.0, 1.0]]]])
    assert change_intensity(images, intensity=intensity(gamma=2.0)).flatten().tolist() == pytest.approx([-1, -0.5, 1])


def test_gamma_of_a_constant_image() -> None:
    images = torch.full((1, 1, 4, 4), 0.3)
    assert torch.allclose(change_intensity(images, intensity=intensity(gamma=0.7)), images)


def test_contrast_about_the_mean_then_brightness() -> None:
    images = torch.tensor([[[[0.0, 1.0]]]])
    changed = change_intensity(images, intensity=intensity(contrast=0.5, brightness=0.1))
    assert changed.flatten().tolist() == pytest.approx([0.35, 0.85])


def test_blur_of_an_impulse_is_the_gaussian() -> None:
    images = torch.zeros(1, 1, 21, 21)
    images[..., 10, 10] = 1
    changed = change_intensity(images, intensity=intensity(blur=1.5))
    assert changed.sum().item() == pytest.approx(1, abs=1e-5)
    assert (changed[0, 0, 10, 12] / changed[0, 0, 10, 10]).item() == pytest.approx(
        math.exp(-4 / (2 * 1.5**2)), rel=1e-4
    )
    assert torch.allclose(changed, changed.mT)


def test_blur_keeps_a_constant_even_when_the_kernel_is_wider_than_the_patch() -> None:
    images = torch.full((1, 2, 3, 5, 1), 0.4)
    assert torch.allclose(change_intensity(images, intensity=intensity(blur=4.0)), images, atol=1e-6)


def test_noise_has_its_deviation_and_its_seed() -> None:
    images = torch.zeros(1, 1, 200, 200)
    first = change_intensity(images, intensity=intensity(noise=0.05))
    assert first.std().item() == pytest.approx(0.05, rel=0.03)
    assert torch.equal(first, change_intensity(images, intensity=intensity(noise=0.05)))


def test_each_patch_gets_its_own_change() -> None:
    images = image(2, 1, 8, 8)
    changes = Intensity(
        gamma=torch.tensor([1.0, 1.3]),
        contrast=torch.tensor([1.0, 0.8]),
        brightness=torch.tensor([0.0, 0.1]),
        blur=torch.tensor([0.0, 1.0]),
        noise=torch.tensor([0.0, 0.1]),
        noise_seed=torch.tensor([0, 1]),
    )
    changed = change_intensity(images, intensity=changes)
    assert torch.allclose(changed[0], images[0], atol=1e-6)
    assert not torch.allclose(changed[1], images[1], atol=1e-2)


def test_drawn_values_keep_their_bounds() -> None:
    config = AugmentationConfig(gamma=0.3, brightness=0.1, contrast=0.25, blur=2, noise=0.05)
    drawn = draw_intensity(config, batch=4000, generator=torch.Generator().manual_seed(0))
    assert 0.29 < drawn.gamma.log().abs().max() <= 0.3 + 1e-6
    assert 0.24 < (drawn.contrast - 1).abs().max() <= 0.25 + 1e-6
    assert 0.099 < drawn.brightness.abs().max() <= 0.1
    assert (drawn.blur > 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert 1.9 < drawn.blur.max() <= 2
    assert 0 <= drawn.noise.min() <= drawn.noise.max() <= 0.05
