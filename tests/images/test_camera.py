"""The camera: offset, blur that keeps the light, Poisson noise, haze that follows the nuclei."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_unetseg.images import camera, nuclei

EMPTY = np.zeros(0, nuclei.NUCLEUS)


def _camera(*, noise: float, shape: tuple[int, int] = (64, 64)) -> camera.Camera:
    """A camera without shading, haze and ghosts, with a background of 50."""
    drawn = camera.Camera.draw(shape, diameter=20, is_3d=False, noise=noise, rng=np.random.default_rng(0))
    flat = (np.zeros(shape[0], np.float32), np.zeros(shape[1], np.float32))
    return replace(drawn, background=50.0, haze=0.0, shading=flat, ghosts=np.zeros((0, 3)))


def test_darkness_is_offset_and_background() -> None:
    grey = _camera(noise=0).expose(
        np.zeros((64, 64), np.float32), nuclei=EMPTY, height=0.0, rng=np.random.default_rng(0)
    )
    assert grey.dtype == np.uint16
    assert (grey == 150).all()


def test_blur_keeps_the_light_and_is_symmetric() -> None:
    light = np.zeros((65, 65), np.float32)
    light[32, 32] = 1.0
    seen = _camera(noise=0, shape=(65, 65)).expose(light, nuclei=EMPTY, height=0.0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(seen, seen.T)
    np.testing.assert_array_equal(seen, seen[::-1])
    assert (seen - 150.0).sum() == pytest.approx(camera.PLATEAU, rel=0.02)


def test_noise_is_that_of_photons_and_readout() -> None:
    light = np.full((64, 64), 0.5, np.float32)
    grey = _camera(noise=2).expose(light, nuclei=EMPTY, height=0.0, rng=np.random.default_rng(0)).astype(float)
    signal, gain = 0.5 * camera.PLATEAU + 50, camera.GAIN * 4
    assert grey.mean() == pytest.approx(signal + camera.OFFSET, rel=0.01)
    assert grey.var() == pytest.approx(signal * gain + (2 * camera.READ_NOISE) ** 2, rel=0.1)


def test_bright_pixels_saturate_instead_of_wrapping() -> None:
    light = np.full((64, 64), 1000.0, np.float32)
    grey = _camera(noise=1).expose(light, nuclei=EMPTY, height=0.0, rng=np.random.default_rng(0))
    assert (grey == 65535).all()


def test_haze_lies_around_nuclei_and_fades_with_distance_along_z() -> None:
    nucleus = np.zeros(1, nuclei.NUCLEUS)
    nucleus["position"], nucleus["axes"], nucleus["brightness"] = (0, 20, 40), 10.0, 1.0
    hazy = replace(_camera(noise=0), haze=0.3)
    seen, far = (
        hazy.expose(np.zeros((64, 64), np.float32), nuclei=nucleus, height=z, rng=np.random.default_rng(0))
        for z in (0.0, 60.0)
    )
    peak = np.unravel_index(seen.argmax(), seen.shape)
    assert np.hypot(peak[0] - 20, peak[1] - 40) < 4
    assert seen.max() > far.max() + 10
    assert far.min() >= 149


def test_enlarging_a_grid_is_linear_interpolation() -> None:
    y, x = np.indices((30, 34), dtype=np.float32)
    large = camera._enlarge(2 * y + x, shape=(20, 24), step=2.5)
    expected = 2 * (np.arange(20)[:, None] / 2.5 + 8) + np.arange(24) / 2.5 + 8
    np.testing.assert_allclose(large, expected, rtol=1e-5)
