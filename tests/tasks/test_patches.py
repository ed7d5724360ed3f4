"""Batches are what they should be: aligned, reproducible, weighted, of the asked size."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from napari_unetseg.schema.config import AugmentationConfig, NetworkConfig, NormalizationConfig, Recipe, TargetConfig
from napari_unetseg.tasks.patches import PatchSampler, choose_patch, fit_patch, prefetch
from napari_unetseg.tasks.samples import Sample, prepare

PLAIN = AugmentationConfig(
    probability=0, elastic=0, rotation=0, scale=0, flip=False, gamma=0, brightness=0, contrast=0, blur=0, noise=0
)


def sampler(samples: list[Sample], recipe: Recipe) -> PatchSampler:
    ready = prepare(samples, ndim=2, channels=1, config=NormalizationConfig())
    return PatchSampler(ready, recipe=recipe.replace(patch=recipe.patch or (48, 48)))


def test_a_batch_depends_on_its_step_alone(samples: list[Sample], recipe: Recipe) -> None:
    one, other = sampler(samples, recipe), sampler(samples, recipe)
    other.batch(0)
    first, second = one.batch(7), other.batch(7)
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.weights, second.weights)
    assert not torch.equal(first.images, one.batch(8).images)


def test_shares_of_a_batch_are_its_parts(samples: list[Sample], recipe: Recipe) -> None:
    """Whoever makes a patch, it is the same, up to the rounding of intensities changed together."""
    recipe = recipe.replace(batch=5, target=TargetConfig(kind="both"))
    source = sampler(samples, recipe)
    for step in range(4):
        whole = source.batch(step)
        for share in (slice(0, 2), slice(2, 5), slice(1, 2)):
            part = PatchSampler(source.samples, recipe=recipe, share=share).batch(step)
            torch.testing.assert_close(part.images, whole.images[share])
            assert torch.equal(part.classes, whole.classes[share])
            assert torch.equal(part.weights, whole.weights[share])
            assert part.distance is not None
            assert whole.distance is not None
            assert torch.equal(part.distance, whole.distance[share])


def test_image_and_classes_stay_aligned(samples: list[Sample], recipe: Recipe) -> None:
    """Discs are bright: under any geometry, bright pixels are those of an object."""
    config = PLAIN.replace(probability=1, elastic=4, rotation=180, scale=0.2, flip=True)
    batch = sampler(samples, recipe.replace(augmentation=config)).batch(3)
    is_bright = batch.images[:, 0] > 0.5
    agreement = (is_bright == (batch.classes > 0)).float().mean()
    assert agreement > 0.97


def test_shapes_and_types(samples: list[Sample], recipe: Recipe) -> None:
    batch = sampler(samples, recipe).batch(0)
    assert batch.images.shape == (2, 1, 48, 48)
    assert batch.images.dtype == torch.float32
    assert batch.classes.dtype == torch.int64
    assert batch.distance is not None
    assert batch.distance.shape == batch.weights.shape == batch.classes.shape == (2, 48, 48)


def test_without_distance_there_is_none(samples: list[Sample], recipe: Recipe) -> None:
    target = TargetConfig(kind="boundary")
    network = recipe.network.replace(out_channels=3)
    assert sampler(samples, recipe.replace(target=target, network=network)).batch(0).distance is None


def test_patches_larger_than_the_image_are_mirrored(samples: list[Sample], recipe: Recipe) -> None:
    recipe = recipe.replace(patch=(96, 96), augmentation=PLAIN)
    image = sampler(samples, recipe).batch(0).images[0, 0]
    assert image.shape == (96, 96)
    assert torch.isfinite(image).all()


def test_unlabelled_pixels_far_from_paint_weigh_nothing(samples: list[Sample], recipe: Recipe) -> None:
    recipe = recipe.replace(unlabelled_is_background=False, augmentation=PLAIN)
    batch = sampler(samples, recipe).batch(0)
    assert (batch.classes == -1).any()
    assert (batch.weights[batch.classes == -1] == 0).all()
    low = sampler(samples, recipe.replace(weights={"unlabelled": 0.25})).batch(0)
    assert (low.classes[batch.classes == -1] == 0).all()
    assert (low.weights[batch.classes == -1] == 0.25).all()
    assert torch.equal(low.weights[batch.classes >= 0], batch.weights[batch.classes >= 0])


@pytest.mark.parametrize(
    ("shape", "edge", "expected"),
    [((300, 300), 4, (128, 128)), ((300, 300), 40, (224, 224)), ((300, 300), 90, (256, 256)),
     ((64, 300), 40, (64, 224)), ((10, 300), 9, (16, 128)), ((250, 250), 90, (240, 240)),
     ((40, 200, 200), 12, (16, 72, 72)), ((12, 200, 200), 12, (8, 72, 72)), ((40, 200, 200), 40, (32, 128, 128))],
)  # fmt: skip
def test_the_patch_is_five_objects_wide_and_no_larger_than_the_image(
    shape: tuple[int, ...], edge: int, expected: tuple[int, ...]
) -> None:
    labels = np.zeros(shape, np.int32)
    labels[(slice(edge),) * len(shape)] = 1
    sample = Sample(labels[None], labels, "a")
    assert choose_patch([sample], divisor=(16, 16) if len(shape) == 2 else (8, 8, 8)) == expected


def test_the_patch_without_objects_is_the_smallest() -> None:
    sample = Sample(np.zeros((1, 300, 300), np.uint8), np.zeros((300, 300), np.int32), "a")
    assert choose_patch([sample], divisor=(16, 16)) == (128, 128)


@pytest.mark.parametrize("architecture", ["deconvnet", "deeplab_v3"])
def test_a_network_that_needs_large_patches_gets_them_where_images_allow(architecture: str) -> None:
    config = NetworkConfig(architecture=architecture, width=1)
    for edge, expected in ((300, (256, 256)), (200, (192, 192))):
        sample = Sample(np.zeros((1, edge, edge), np.uint8), np.zeros((edge, edge), np.int32), "a")
        assert fit_patch(Recipe(network=config), samples=[sample]).patch == expected
        assert fit_patch(Recipe(network=config, patch=(64, 64)), samples=[sample]).patch == (64, 64)


def test_distances_respect_the_pixel_size(recipe: Recipe) -> None:
    """Two slabs 4 planes apart: with planes 5 px thick they are too far from each other to weigh anything."""
    labels = np.zeros((16, 16, 16), np.int32)
    labels[2:6], labels[10:14] = 1, 2
    image = labels[None].astype(np.float32)
    network = recipe.network.replace(ndim=3)
    recipe = recipe.replace(network=network, patch=(16, 16, 16), augmentation=PLAIN, batch=1)
    heaviest = []
    for pixel_size in ((0.2, 0.2, 0.2), (1.0, 0.2, 0.2)):
        sample = Sample(image, labels, "slabs", pixel_size=pixel_size)
        ready = prepare([sample], ndim=3, channels=1, config=NormalizationConfig())
        sampler_3d = PatchSampler(ready, recipe=recipe)
        background = sampler_3d.batch(0).classes == 0
        heaviest.append(float(sampler_3d.batch(0).weights[background].max()))
    assert heaviest[0] > heaviest[1] + 1


def test_patches_of_a_partly_painted_image_hold_something_to_learn(recipe: Recipe) -> None:
    labels = np.full((400, 400), -1)
    labels[20:40, 20:40], labels[380:390, 300:390] = 5, 0  # one object, and a scribble of background elsewhere
    recipe = recipe.replace(augmentation=PLAIN, batch=1)
    ready = sampler([Sample(np.zeros((1, 400, 400)), labels, "a")], recipe)
    classes = [ready.batch(step).classes for step in range(40)]
    assert all((entry >= 0).any() for entry in classes)
    assert 0 < sum(bool((entry == 0).any()) for entry in classes) < 20


def test_batches_are_prepared_in_order_with_one_thread_each_while_the_network_keeps_its_own():
    seen = []

    class Steps:
        def batch(self, step, *, device="cpu"):
            seen.append(torch.get_num_threads())
            return SimpleNamespace(to=lambda _device: step)

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        batches = prefetch(Steps(), start=3, device=torch.device("cpu"))
        assert [next(batches) for _ in range(4)] == [3, 4, 5, 6]
        batches.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert set(seen) == {1}
