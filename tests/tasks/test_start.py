"""A run starts with what suits the model and the time."""

from __future__ import annotations

import pytest

from napari_unetseg.networks.registry import build
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, Recipe
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.start import (
    STRENGTHS,
    check_batch,
    fit_annotation,
    patch_of,
    start_recipe,
    strengthened,
    validation_share,
)


def test_a_model_keeps_what_it_is(card: ModelCard) -> None:
    recipe = start_recipe(card)
    assert (recipe.network, recipe.target, recipe.normalization) == (card.network, card.target, card.normalization)
    sure = card.replace(decoding=card.decoding.replace(min_confidence=0.8, threshold=0.6))
    assert start_recipe(sure).decoding == card.decoding.replace(threshold=0.6)
    scratch = start_recipe(None, ndim=3, channels=2)
    assert (scratch.network.ndim, scratch.network.in_channels) == (3, 2)


@pytest.mark.parametrize(("images", "objects", "expected"), [(1, 5, 0.0), (1, 29, 0.0), (1, 30, 0.15), (2, 2, 0.15)])
def test_nothing_is_held_back_of_a_few_cells(images: int, objects: int, expected: float) -> None:
    assert validation_share(images=images, objects=objects, share=0.15) == expected


def test_unpainted_pixels_are_a_little_background_from_scratch() -> None:
    recipe = fit_annotation(start_recipe(None), zero_is_background=False, is_from_scratch=True)
    assert 0 < recipe.weights.unlabelled < 1
    assert fit_annotation(recipe, zero_is_background=True, is_from_scratch=True).weights.unlabelled == 0
    assert recipe.weights.believed == 0
    tuned = fit_annotation(recipe, zero_is_background=False, is_from_scratch=False).weights
    assert tuned.unlabelled == 0 < tuned.believed
    assert fit_annotation(recipe, zero_is_background=True, is_from_scratch=False).weights.believed == 0


def test_patches_fit_the_network() -> None:
    assert patch_of(200, divisor=(16, 16)) == (192, 192)
    assert patch_of(5, divisor=(8, 8, 8)) == (8, 8, 8)


@pytest.mark.parametrize("factor", STRENGTHS.values())
def test_augmentation_is_scaled_within_its_bounds(factor: float) -> None:
    strong = AugmentationConfig(scale=0.8, contrast=0.9, gamma=1.9)
    changed = strengthened(strong, factor=factor)
    assert (changed == strong) == (factor == 1)
    assert changed.flip == (factor > 0)


@pytest.mark.parametrize(
    ("network", "patch", "batch", "least"),
    [
        (NetworkConfig(architecture="bisenet", width=2), (64, 64), 1, 2),  # BatchNorm after the mean of the image
        (NetworkConfig(width=2), (16, 16), 1, 2),  # the coarsest map is one pixel
    ],
)
def test_batches_too_small_for_batch_norm_are_refused(
    network: NetworkConfig, patch: tuple[int, int], batch: int, least: int
) -> None:
    recipe = Recipe(network=network, patch=patch, batch=batch)
    with pytest.raises(InputError, match=rf"'{network.architecture}' .* a batch of {least} or more"):
        check_batch(build(network), recipe=recipe)
    check_batch(build(network), recipe=recipe.replace(batch=least))


def test_a_larger_patch_makes_up_for_a_small_batch() -> None:
    network = NetworkConfig(width=2)
    check_batch(build(network), recipe=Recipe(network=network, patch=(32, 16), batch=1))
