"""Random intensities of training patches: blur, gamma, contrast, brightness and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from napari_unetseg.networks.mirror import mirror
from napari_unetseg.schema.config import AugmentationConfig

BLURRED = 0.25
"""Share of the patches that is blurred."""


@dataclass(frozen=True, slots=True)
class Intensity:
    """Drawn intensity changes of a batch of N patches; small CPU tensors (N,)."""

    gamma: Tensor
    contrast: Tensor
    brightness: Tensor
    blur: Tensor
    """Gaussian sigma in px; 0: not blurred."""
    noise: Tensor
    """Standard deviation."""
    noise_seed: Tensor
    """Of the noise's own generator, which lives where the images are; int64."""


def draw_intensity(config: AugmentationConfig, *, batch: int, generator: torch.Generator) -> Intensity:
    """Draw intensity changes, all uniform within their bounds (gamma: uniform logarithm)."""
    gamma, contrast, brightness = 2 * torch.rand(3, batch, generator=generator) - 1
    blur, noise, is_blurred = torch.rand(3, batch, generator=generator)
    return Intensity(
        gamma=(gamma * config.gamma).exp(),
        contrast=1 + contrast * config.contrast,
        brightness=brightness * config.brightness,
        blur=blur * config.blur * (is_blurred < BLURRED),
        noise=noise * config.noise,
        noise_seed=torch.randint(2**62, (batch,), generator=generator),
    )


def change_intensity(images: Tensor, *, intensity: Intensity) -> Tensor:
    """Apply the changes to images (N, C, [Z,] Y, X) in the order of a microscope: optics, response, sensor noise."""
    images = _blur(images, sigma=intensity.blur)
    images = _gamma(images, exponent=intensity.gamma)
    images = _stretch(images, contrast=intensity.contrast, brightness=intensity.brightness)
    return _add_noise(images, deviation=intensity.noise, seeds=intensity.noise_seed)


def _blur(images: Tensor, *, sigma: Tensor) -> Tensor:
    """Gaussian blur in Y and X of the patches with sigma > 0, mirrored at the border, cut at 3 sigma."""
    if not bool(sigma.any()):
        return images
    return torch.stack(
        [_blur_one(image, sigma=value) if value else image for image, value in zip(images, sigma.tolist(), strict=True)]
    )


def _blur_one(image: Tensor, *, sigma: float) -> Tensor:
    radius = math.ceil(3 * sigma)
    offsets = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = (-0.5 * (offsets / sigma) ** 2).exp()
    kernel = kernel / kernel.sum()
    planes = image.reshape(-1, 1, *image.shape[-2:])
    for axis in (2, 3):
        size = planes.shape[axis]
        positions = mirror(torch.arange(-radius, size + radius, device=image.device), size=size)
        window = kernel.view((1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1))
        planes = conv2d(planes.index_select(axis, positions), window)
    return planes.reshape(image.shape)


def _gamma(images: Tensor, *, exponent: Tensor) -> Tensor:
    """(x - min)^gamma with the range of every patch and channel kept."""
    if bool((exponent == 1).all()):
        return images
    axes = tuple(range(2, images.ndim))
    low, high = images.amin(dim=axes, keepdim=True), images.amax(dim=axes, keepdim=True)
    span = (high - low).clamp_min(1e-12)
    return ((images - low) / span).pow_(_per_patch(exponent, images)).mul_(span).add_(low)


def _stretch(images: Tensor, *, contrast: Tensor, brightness: Tensor) -> Tensor:
    """Contrast about the mean of every patch and channel, then brightness."""
    if bool((contrast == 1).all()) and not bool(brightness.any()):
        return images
    factor = _per_patch(contrast, images)
    mean = images.mean(dim=tuple(range(2, images.ndim)), keepdim=True)
    return torch.addcmul(mean * (1 - factor) + _per_patch(brightness, images), images, factor)


def _add_noise(images: Tensor, *, deviation: Tensor, seeds: Tensor) -> Tensor:
    """Add to each patch noise of its own generator, so that it does not depend on the others."""
    if not bool(deviation.any()):
        return images
    noise = torch.empty_like(images)
    for patch, seed in zip(noise, seeds.tolist(), strict=True):
        patch.normal_(generator=torch.Generator(device=images.device).manual_seed(seed))
    return torch.addcmul(images, noise, _per_patch(deviation, images))


def _per_patch(values: Tensor, images: Tensor) -> Tensor:
    """Shape (N,) as (N, 1, 1, ...) on the images' device."""
    return values.to(images).view(-1, *[1] * (images.ndim - 1))
