"""A run starts with what suits the model and the time."""

from __future__ import annotations

import pytest

from napari_unetseg.networks.registry import build
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, Recipe, TargetConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.start import (
    STRENGTHS,
    check_batch,
    check_loss,
    check_start,
    fit_annotation,
    left_out,
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


DISTANCE = Recipe(target=TargetConfig(kind="distance"), network=NetworkConfig(out_channels=3))
CLASSES = Recipe(target=TargetConfig(kind="semantic"))


def test_a_loss_of_two_classes_is_for_two_classes() -> None:
    hinge = {"kind": "lovasz_hinge"}
    for recipe in (DISTANCE, CLASSES, CLASSES.with_classes(2)):
        check_loss(recipe.replace(loss=hinge))
    for recipe in (Recipe(), CLASSES.with_classes(3)):
        with pytest.raises(InputError, match=r"two classes apart, .* has 3; use the loss 'lovasz_softmax'"):
            check_loss(recipe.replace(loss=hinge))
        check_loss(recipe.replace(loss={"kind": "lovasz_softmax"}))


def test_classes_are_not_told_to_become_cells() -> None:
    with pytest.raises(InputError, match=r"the target 'semantic' has 3; use the loss 'lovasz_softmax'$"):
        check_loss(CLASSES.with_classes(3).replace(loss={"kind": "lovasz_hinge"}))


def test_another_network_or_target_than_the_models_is_named(card: ModelCard) -> None:
    recipe = start_recipe(card)
    check_start(recipe, card)
    wider = recipe.replace(network=card.network.replace(width=8))
    with pytest.raises(InputError, match=r"network\.width 8 \(model: 2\); leave out network\.width, or"):
        check_start(wider, card)
    with pytest.raises(InputError, match=r"own: --width 8 \(model: 2\); leave out --width, or"):
        check_start(wider, card, names={"network.width": "--width"})
    target = {"target": {"kind": "boundary"}, "network": card.network.replace(out_channels=3)}
    with pytest.raises(InputError, match=r"own: target\.kind 'boundary' \(model: 'both'\); leave"):
        check_start(recipe.replace(**target), card)


@pytest.mark.parametrize("is_from_scratch", [True, False])
def test_a_loss_without_weights_is_not_for_what_nobody_has_annotated(is_from_scratch: bool) -> None:
    recipe = fit_annotation(Recipe(), zero_is_background=False, is_from_scratch=is_from_scratch)
    for kind in ("dice", "lovasz_softmax"):
        with pytest.raises(InputError, match=rf"'{kind}' weighs all pixels alike, .* use another loss"):
            check_loss(recipe.replace(loss={"kind": kind}))
    for kind in ("cross_entropy", "cross_entropy_dice", "focal", "bce_dice"):
        check_loss(recipe.replace(loss={"kind": kind}))


def test_weights_that_do_nothing_are_told() -> None:
    lovasz = {"kind": "lovasz_softmax"}
    assert left_out(Recipe()) == ""
    assert left_out(Recipe(loss=lovasz)).endswith("w0 and class weights do nothing but in the distance")
    assert left_out(CLASSES.replace(loss=lovasz)).endswith("alike: class weights do nothing")
    assert left_out(DISTANCE.replace(loss=lovasz, weights={"w0": 0, "balance": 0})) == ""
