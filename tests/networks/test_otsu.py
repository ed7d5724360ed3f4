"""Otsu's threshold, against scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.filters import threshold_otsu

from napari_unetseg.networks.otsu import otsu_mask, otsu_threshold


def blobs() -> torch.Tensor:
    """Three images (3, 1, 40, 30) of a bright rectangle on noise, of different size and contrast."""
    images = 0.2 * torch.randn(3, 1, 40, 30, generator=torch.Generator().manual_seed(0))
    for image, size, contrast in zip(images, (5, 15, 25), (1.0, 3.0, 0.5), strict=True):
        image[:, 3 : 3 + size, 2 : 2 + size] += contrast
    return images


def test_thresholds_are_those_of_scikit_image() -> None:
    images = blobs()
    expected = [threshold_otsu(image.double().numpy()) for image in images]
    assert otsu_threshold(images).numpy() == pytest.approx(np.array(expected), abs=1e-5)


def test_whole_numbers_have_a_bin_each() -> None:
    """From 0 to 255 both histograms are the same, so the same pixels are bright."""
    images = (blobs() * 60 + 90).round().clamp(0, 255)
    images[:, :, 0, :2] = torch.tensor([0.0, 255.0])
    thresholds = otsu_threshold(images)[:, None, None, None]
    for image, is_bright in zip(images, images > thresholds, strict=True):
        counts = np.bincount(image.numpy().astype(int).ravel(), minlength=256)
        threshold = threshold_otsu(hist=(counts, np.arange(256)))
        assert torch.equal(is_bright, image > float(threshold))


def test_each_image_has_a_threshold_of_its_own() -> None:
    images = blobs()
    assert torch.equal(otsu_threshold(images)[1:2], otsu_threshold(images[1:2]))
    assert torch.equal(otsu_mask(images)[1:2], otsu_mask(images[1:2]))
    assert len(set(otsu_threshold(images).tolist())) == 3


def test_two_values_are_parted_and_one_value_is_dark() -> None:
    image = torch.zeros(1, 1, 16, 16)
    assert not otsu_mask(image + 7).any()
    image[..., 8:] = 1e-20
    assert otsu_threshold(image) < 1e-20
    assert torch.equal(otsu_mask(image * 1e20)[0, 0, 0], (torch.arange(16) >= 8).float())


def test_the_mask_is_of_the_smoothed_mean_of_the_channels() -> None:
    """Opposite channels cancel; a lone bright pixel is taken for noise, a square of 5 is not."""
    square = torch.zeros(1, 1, 24, 24)
    square[..., 4:9, 4:9] = 1
    square[..., 18, 18] = 1
    mask = otsu_mask(square)
    assert mask.shape == (1, 1, 24, 24)
    assert mask.dtype == torch.float32
    assert mask[0, 0, 6, 6] == 1
    assert mask[0, 0, 18, 18] == 0
    assert not otsu_mask(torch.cat([square, 1 - square], dim=1)).any()
    assert torch.equal(otsu_mask(torch.cat([square, 3 * square], dim=1)), mask)
    assert torch.equal(otsu_mask(square.bfloat16()), mask)
