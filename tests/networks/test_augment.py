"""Augmentation as a whole: reproducible, harmless when turned off, clear about bad input."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_unetseg.networks.augment import Parameters, apply, draw
from napari_unetseg.schema.config import AugmentationConfig
from napari_unetseg.schema.errors import InputError

OFF = AugmentationConfig(probability=0, flip=False, gamma=0, brightness=0, contrast=0, blur=0, noise=0)


def parameters(config: AugmentationConfig, *, batch: int, shape: tuple[int, ...], seed: int = 0) -> Parameters:
    return draw(config, batch=batch, shape=shape, generator=torch.Generator().manual_seed(seed))


def sample(batch: int, *shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 2, *shape, generator=generator), torch.randint(0, 7, (batch, *shape), generator=generator)


@pytest.mark.parametrize("shape", [(16, 20), (6, 12, 12)])
def test_turned_off_changes_nothing(shape: tuple[int, ...]) -> None:
    images, labels = sample(2, *shape)
    changed, ids = apply(images, labels, parameters(OFF, batch=2, shape=shape))
    assert (changed - images).abs().max() < 1e-4
    assert torch.equal(ids, labels)


@pytest.mark.parametrize("shape", [(24, 24), (6, 16, 16)])
def test_same_generator_same_result_and_inputs_untouched(shape: tuple[int, ...]) -> None:
    images, labels = sample(3, *shape)
    before = images.clone(), labels.clone()
    config = AugmentationConfig()
    first = apply(images, labels, parameters(config, batch=3, shape=shape))
    second = apply(images, labels, parameters(config, batch=3, shape=shape))
    other = apply(images, labels, parameters(config, batch=3, shape=shape, seed=1))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], other[0])
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    assert first[0].isfinite().all()


def test_global_random_state_is_neither_read_nor_moved() -> None:
    images, labels = sample(1, 16, 16)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = apply(images, labels, parameters(AugmentationConfig(noise=0.5), batch=1, shape=(16, 16)))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = apply(images, labels, parameters(AugmentationConfig(noise=0.5), batch=1, shape=(16, 16)))
    assert torch.equal(first[0], second[0])


def test_output_shape_and_dtypes() -> None:
    images, labels = sample(2, 6, 20, 20)
    drawn = parameters(AugmentationConfig(), batch=2, shape=(6, 20, 20))
    changed, ids = apply(images, labels.int(), drawn, output_shape=(4, 16, 12))
    assert changed.shape == (2, 2, 4, 16, 12)
    assert ids.shape == (2, 4, 16, 12)
    assert (changed.dtype, ids.dtype) == (torch.float32, torch.int32)


def test_autocast_does_not_blur_the_geometry() -> None:
    images, labels = sample(1, 64, 64)
    drawn = parameters(AugmentationConfig(noise=0), batch=1, shape=(64, 64))
    expected = apply(images, labels, drawn)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        changed, ids = apply(images, labels, drawn)
    assert torch.equal(changed, expected[0])
    assert torch.equal(ids, expected[1])


def test_bad_input_is_named() -> None:
    images, labels = sample(2, 16, 16)
    drawn = parameters(AugmentationConfig(), batch=2, shape=(16, 16))
    with pytest.raises(InputError, match="differ in batch or size"):
        apply(images, labels[:, :8], drawn)
    with pytest.raises(InputError, match="parameters are for 3 patches in 2D"):
        apply(images, labels, parameters(AugmentationConfig(), batch=3, shape=(16, 16)))
    with pytest.raises(InputError, match=r"output_shape \(16, 20\) exceeds"):
        apply(images, labels, drawn, output_shape=(16, 20))
