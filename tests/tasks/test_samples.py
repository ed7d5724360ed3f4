"""Pairs are checked, ids survive, and validation never sees what training sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unetseg.images.normalize import Stretch
from napari_unetseg.schema.config import NormalizationConfig, TargetConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.samples import Sample, common_pixel_size, fingerprint, prepare, split


def prepared(sample: Sample) -> Sample:
    return prepare([sample], ndim=2, channels=1, config=NormalizationConfig())[0]


def test_ids_become_compact_and_ignored_pixels_stay() -> None:
    labels = np.array([[5, 900, 70000, 0, -1]])
    found = prepared(Sample(np.zeros((1, 1, 5)), labels, "a")).labels
    np.testing.assert_array_equal(found, [[1, 2, 3, 0, -1]])
    assert found.dtype == np.int32


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([[-7, 1]]), "got -7"),
        (np.array([[0.5, 1]]), "must be integers"),
        (np.ones((1, 2), bool), "number its connected components first"),
    ],
)
def test_what_is_no_label_map_is_refused_with_its_name(labels: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=rf"^a\.tif: labels .*{message}"):
        prepared(Sample(np.zeros((1, 1, 2)), labels, "a.tif"))


def test_a_pair_of_different_shapes_is_refused_never_cropped() -> None:
    with pytest.raises(InputError, match=r"a: image \(8, 8\) and labels \(8, 9\) differ"):
        prepared(Sample(np.zeros((1, 8, 8)), np.ones((8, 9), int), "a"))


def test_a_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(InputError, match="reads 1 channel"):
        prepared(Sample(np.zeros((3, 8, 8)), np.ones((8, 8), int), "a"))


def test_labels_without_any_object_are_refused() -> None:
    with pytest.raises(InputError, match="every label map is empty"):
        prepared(Sample(np.zeros((1, 8, 8)), np.zeros((8, 8), int), "a"))


def test_no_sample_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        prepare([], ndim=2, channels=1, config=NormalizationConfig())


def test_a_stretch_that_is_given_is_kept() -> None:
    stretch = Stretch((1.0,), (9.0,))
    assert prepared(Sample(np.zeros((1, 8, 8)), np.ones((8, 8), int), "a", stretch)).stretch == stretch


def test_whole_images_are_held_back(samples: list[Sample]) -> None:
    training, held, how = split(samples, fraction=0.25, seed=0)
    assert len(training) == 3
    assert len(held) == 1
    assert {sample.name for sample in training} | {sample.name for sample in held} == {
        sample.name for sample in samples
    }
    assert "1 of 4" in how


def test_the_only_image_is_cut_in_two(samples: list[Sample]) -> None:
    wide = Sample(
        np.concatenate([sample.image for sample in samples], axis=2),
        np.concatenate([s.labels for s in samples], axis=1),
        "wide",
    )
    training, held, how = split([wide], fraction=0.25, seed=0)
    assert training[0].labels.shape == (64, 192)
    assert held[0].labels.shape == (64, 64)
    np.testing.assert_array_equal(np.concatenate([training[0].image, held[0].image], axis=2), wide.image)
    assert "only image" in how


def test_of_two_images_a_strip_of_one_is_held_back(samples: list[Sample]) -> None:
    """Half of all there is would be a waste: the share that is asked for is taken, here 0.2 of two images."""
    wide = [replace(one, image=np.tile(one.image, (1, 1, 2)), labels=np.tile(one.labels, (1, 2))) for one in samples]
    training, held, how = split(wide[:2], fraction=0.2, seed=0)
    assert sorted(sample.labels.shape for sample in training) == [(64, 77), (64, 128)]
    assert [sample.labels.shape for sample in held] == [(64, 51)]
    assert held[0].name in how
    assert "one of 2 images" in how


def test_planes_of_one_stack_never_fall_on_both_sides(samples: list[Sample]) -> None:
    planes = [replace(sample, origin="ab"[index // 2]) for index, sample in enumerate(samples)]
    training, held, how = split(planes, fraction=0.5, seed=0)
    assert len({sample.origin for sample in training}) == len({sample.origin for sample in held}) == 1
    assert "1 of 2 images" in how


def test_planes_of_the_only_stack_give_the_same_strip(samples: list[Sample]) -> None:
    planes = [replace(sample, origin="a") for sample in samples]
    training, held, _ = split(planes, fraction=0.5, seed=0)
    assert {sample.labels.shape for sample in training + held} == {(32, 64)}
    assert len(training) == len(held) == 4


def test_pixel_size_is_common_or_unknown(samples: list[Sample]) -> None:
    sized = [
        replace(sample, pixel_size=(0.5, size)) for sample, size in zip(samples, (0.2, 0.3, 0.3, 0.9), strict=True)
    ]
    assert common_pixel_size(sized) == (0.5, 0.3)
    assert common_pixel_size([*sized, samples[0]]) is None


def test_an_only_image_too_small_to_cut_means_no_validation(samples: list[Sample]) -> None:
    training, held, how = split(samples[:1], fraction=0.1, seed=0)
    assert (len(training), len(held)) == (1, 0)
    assert "no validation" in how


def test_the_fingerprint_follows_every_pixel(samples: list[Sample]) -> None:
    changed = samples[0].labels.copy()
    changed[0, 0] += 1
    assert fingerprint(samples) == fingerprint(list(samples))
    assert fingerprint(samples) != fingerprint([Sample(samples[0].image, changed, "x"), *samples[1:]])


@pytest.mark.parametrize("seed", range(6))
def test_an_empty_image_is_not_what_is_scored(samples: list[Sample], seed: int) -> None:
    empty = [replace(samples[0], labels=np.zeros_like(samples[0].labels), name=f"empty {index}") for index in range(2)]
    _, held, _ = split([*empty, *samples], fraction=0.2, seed=seed)
    assert all(sample.labels.any() for sample in held)


def test_numbered_masks_are_taken_for_masks() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[1:4, [2, 6, 10, 14]] = 255
    image = np.zeros((1, 20, 20))
    with pytest.raises(InputError, match="as a mask does"):
        prepared(Sample(image, mask, "mask.tif"))
    mask[10:14, 10:14] = 7  # two numbers: these are objects
    assert prepared(Sample(image, mask, "labels.tif")).labels.max() == 2
    one_object = np.where(mask == 7, 1, 0)
    assert prepared(Sample(image, one_object, "one.tif")).labels.max() == 1


def test_classes_are_not_taken_for_objects() -> None:
    image, classes = np.zeros((1, 20, 20)), np.zeros((20, 20), int)
    classes[1::6, 1::6], classes[4::6, 4::6] = 1, 2
    message = r"^a: .* at most 2 numbers, .*as classes are; learn classes \(--target semantic, .*skimage.measure.label"
    with pytest.raises(InputError, match=message):
        prepared(Sample(image, classes, "a"))
    one_piece = np.where(np.arange(20) < 2, classes, 0) * (np.arange(20)[:, None] < 2)
    with pytest.raises(InputError, match=message):  # of three numbers two stand for many
        prepare(
            [Sample(image, classes, "a"), Sample(image, one_piece, "b")],
            ndim=2,
            channels=1,
            config=NormalizationConfig(),
        )
    semantic = prepare(
        [Sample(image, classes, "a")],
        ndim=2,
        channels=1,
        config=NormalizationConfig(),
        target=TargetConfig(kind="semantic"),
    )
    np.testing.assert_array_equal(semantic[0].labels, classes)
