"""Normalisation: exact on small images, the same however a stack is cut, finite whatever comes in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg.images import normalize
from napari_unetseg.images.normalize import Stretch, apply, measure
from napari_unetseg.schema.config import NormalizationConfig
from napari_unetseg.schema.errors import InputError

CONFIG = NormalizationConfig()
REAL = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4", ">i8", "g"]


def test_percentiles_are_exact_on_small_images() -> None:
    image = np.random.default_rng(0).normal(size=(2, 5, 16, 16))
    stretch = measure([image], config=CONFIG)
    np.testing.assert_allclose(stretch.low, np.percentile(image, 1.0, axis=(1, 2, 3)))
    np.testing.assert_allclose(stretch.high, np.percentile(image, 99.8, axis=(1, 2, 3)))


def test_hand_computed_stretch() -> None:
    image = np.arange(101, dtype=np.uint8)[None, None]  # percentile p is the value p
    stretch = measure([image], config=NormalizationConfig(low=10, high=90))
    assert stretch == Stretch(low=(10.0,), high=(90.0,))
    np.testing.assert_allclose(apply(image, stretch=stretch)[0, 0, [0, 10, 50, 90, 100]], [-0.125, 0, 0.5, 1, 1.125])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 300))
def test_cutting_a_stack_differently_changes_nothing(cuts, capacity) -> None:
    stack = np.random.default_rng(0).integers(0, 1000, (2, 45, 6, 7)).astype(np.uint16)
    planes = np.split(stack, sorted({min(c, 44) for c in np.cumsum(cuts)}), axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalize, "CAPACITY", capacity)
        assert measure(planes, config=CONFIG) == measure([stack], config=CONFIG)


def test_large_stacks_are_sampled_within_the_capacity(monkeypatch) -> None:
    monkeypatch.setattr(normalize, "CAPACITY", 5000)
    planes = (np.random.default_rng(i).uniform(0, 100, (1, 64, 64)) for i in range(30))
    sizes = []
    inner = normalize._range
    monkeypatch.setattr(normalize, "_range", lambda s, *, config: sizes.append(s.size) or inner(s, config=config))
    stretch = measure(planes, config=NormalizationConfig(low=10, high=90))
    assert 5000 / 7 <= sizes[0] <= 5000
    assert stretch.low[0] == pytest.approx(10, abs=2)
    assert stretch.high[0] == pytest.approx(90, abs=2)


def test_the_default_capacity_keeps_a_million_samples_after_thinning() -> None:
    assert normalize.CAPACITY / normalize.THINNING >= 1e6


@pytest.mark.parametrize("dtype", REAL)
def test_every_real_dtype_works_and_is_left_untouched(dtype) -> None:
    image = (np.arange(2 * 64).reshape(2, 8, 8) % 100).astype(dtype)
    image.flags.writeable = False
    result = apply(image, stretch=Stretch((0.0, 0.0), (50.0, 50.0)))
    assert result.dtype == np.float32
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    np.testing.assert_allclose(result, image.astype(float) / 50, rtol=1e-3)
    stretch = measure([image], config=CONFIG)
    assert all(low < high for low, high in zip(stretch.low, stretch.high, strict=True))


@pytest.mark.parametrize("dtype", ["u8", "i8", "f8"])
def test_large_numbers_keep_their_differences(dtype) -> None:
    base = 2**40
    image = np.array([[[base, base + 1, base + 2, base + 4]]], dtype)
    result = apply(image, stretch=Stretch((float(base),), (float(base + 4),)))
    np.testing.assert_array_equal(result[0, 0], [0, 0.25, 0.5, 1])


def test_the_top_of_uint64_does_not_wrap() -> None:
    image = np.array([[[0, 2**63, 2**64 - 1]]], np.uint64)
    stretch = measure([image], config=NormalizationConfig(low=0, high=100))
    np.testing.assert_allclose(apply(image, stretch=stretch)[0, 0], [0, 0.5, 1], rtol=1e-6)


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_constant_channel_becomes_zero_without_a_warning(value, recwarn) -> None:
    image = np.full((1, 4, 4), value, np.uint16)
    assert not apply(image, stretch=measure([image], config=CONFIG)).any()
    assert not recwarn.list


def test_one_small_cell_on_a_dark_field_is_not_lost() -> None:
    image = np.zeros((1, 100, 100), np.uint8)
    image[0, 50, 50:55] = 200  # 0.05 % of the pixels: beyond the high percentile
    result = apply(image, stretch=measure([image], config=CONFIG))
    assert result.max() == 1.0
    assert result.min() == 0.0


def test_pixels_that_are_not_finite_are_ignored_and_become_zero(recwarn) -> None:
    image = np.linspace(0, 1, 64, dtype=np.float32).reshape(1, 8, 8)
    clean = measure([image[:, 1:]], config=CONFIG)
    image[0, 0] = [np.nan, np.inf, -np.inf, np.nan, np.nan, np.inf, np.nan, np.nan]
    assert measure([image], config=CONFIG) == clean
    result = apply(image, stretch=clean)
    assert np.isfinite(result).all()
    assert not result[0, 0].any()
    assert result[0, 1:].any()
    assert not recwarn.list


def test_an_image_without_one_finite_pixel_becomes_zero() -> None:
    image = np.full((1, 3, 3), np.nan)
    assert not apply(image, stretch=measure([image], config=CONFIG)).any()


def test_an_absurd_range_stays_finite(recwarn) -> None:
    image = np.array([[[-1e308, 0.0, 1e308]]])
    assert np.isfinite(apply(image, stretch=measure([image], config=CONFIG))).all()
    assert not recwarn.list


@pytest.mark.parametrize(
    "change",
    [np.asfortranarray, lambda a: a[:, ::-1].copy()[:, ::-1], lambda a: np.repeat(a, 2, axis=2)[..., ::2]],
)
def test_memory_layout_does_not_matter(change, monkeypatch) -> None:
    monkeypatch.setattr(normalize, "CAPACITY", 100)
    image = np.random.default_rng(0).integers(0, 9999, (2, 16, 16)).astype(np.uint16)
    stretch = measure([image], config=CONFIG)
    assert measure([change(image)], config=CONFIG) == stretch
    np.testing.assert_array_equal(apply(change(image), stretch=stretch), apply(image, stretch=stretch))


def test_a_memory_map_works(tmp_path) -> None:
    image = np.arange(64, dtype=np.uint16).reshape(1, 8, 8)
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    assert measure([mapped], config=CONFIG) == measure([image], config=CONFIG)


def test_bad_input_is_explained() -> None:
    with pytest.raises(InputError, match="no pixels"):
        measure([], config=CONFIG)
    with pytest.raises(InputError, match="no pixels"):
        measure([np.zeros((1, 0, 4))], config=CONFIG)
    with pytest.raises(InputError, match="complex"):
        apply(np.zeros((1, 2, 2), complex), stretch=Stretch((0.0,), (1.0,)))
    with pytest.raises(InputError, match="real numbers"):
        measure([np.zeros((1, 2, 2), object)], config=CONFIG)
    with pytest.raises(InputError, match="differ in channels"):
        measure([np.zeros((1, 2, 2)), np.zeros((2, 2, 2))], config=CONFIG)
    with pytest.raises(InputError, match="2 channels"):
        apply(np.zeros((2, 2, 2)), stretch=Stretch((0.0,), (1.0,)))
