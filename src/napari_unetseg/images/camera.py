"""The microscope of the simulation: blur, out-of-focus haze, uneven light, and a camera that counts photons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Array = npt.NDArray[Any]

OFFSET = 100.0  # grey values of a dark pixel
PLATEAU = 1500.0  # grey values of a usual nucleus above the background
GAIN = 1.5  # grey values per photon
READ_NOISE = 5.0  # grey values


@dataclass(frozen=True, slots=True)
class Camera:
    """The fixed facts of one acquisition."""

    diameter: float
    noise: float
    is_3d: bool
    background: float
    haze: float
    shading: tuple[Array, Array]  # loss of light along Y and along X
    ghosts: Array  # (n, 3): y, x, flux of nuclei far out of focus

    @classmethod
    def draw(
        cls, shape: tuple[int, int], *, diameter: float, is_3d: bool, noise: float, rng: np.random.Generator
    ) -> Camera:
        """Draw an acquisition of planes of `shape`."""
        centre, strength = rng.uniform(-0.4, 0.4, 2), rng.uniform(0.05, 0.2)
        shading = [strength * (np.linspace(-1, 1, n) - c) ** 2 for n, c in zip(shape, centre, strict=True)]
        count = 0 if is_3d else rng.poisson(0.02 * shape[0] * shape[1] / diameter**2)
        ghosts = rng.uniform(0, 1, (count, 3)) * [*shape, 0.18 * diameter**2]
        return cls(
            diameter=diameter,
            noise=noise,
            is_3d=is_3d,
            background=rng.uniform(50, 160),
            haze=rng.uniform(0.12, 0.3),
            shading=(shading[0].astype(np.float32), shading[1].astype(np.float32)),
            ghosts=ghosts,
        )

    def expose(self, light: Array, *, nuclei: Array, height: float, rng: np.random.Generator) -> npt.NDArray[np.uint16]:
        """Turn the `light` (Y, X) of the plane at `height` into grey values; all `nuclei` add their haze."""
        signal = ndimage.gaussian_filter(light, 0.7 + 0.012 * self.diameter, truncate=3.0)
        signal += self._haze(light.shape, nuclei=nuclei, height=height)
        signal *= PLATEAU * np.exp(-height / (20 * self.diameter))  # depth costs light
        signal += self.background
        signal *= 1 - self.shading[0][:, None] - self.shading[1]
        if self.noise > 0:
            gain = GAIN * self.noise**2  # fewer photons per grey value: noise grows with the root of the gain
            signal = rng.poisson(signal / gain).astype(np.float32) * np.float32(gain)
            signal += np.float32(READ_NOISE * self.noise) * rng.standard_normal(signal.shape, dtype=np.float32)
        grey: npt.NDArray[np.uint16] = np.clip(np.rint(signal + OFFSET), 0, 65535).astype(np.uint16)
        return grey

    def _haze(self, shape: tuple[int, ...], *, nuclei: Array, height: float) -> Array:
        """Return the light from out of focus, on a coarse grid (a quarter of a diameter) and interpolated."""
        step = self.diameter / 4
        distance = (nuclei["position"][:, 0] - height) / (1.5 * self.diameter)
        flux = nuclei["brightness"] * nuclei["axes"][:, 1] * nuclei["axes"][:, 2] * np.pi * np.exp(-(distance**2))
        points = nuclei["position"][:, 1:]
        near = _scatter(points, flux, shape=shape, step=step, sigma=0.5 * self.diameter / step)
        wide = _scatter(points, flux, shape=shape, step=step, sigma=4 * self.diameter / step)
        ghosts = _scatter(self.ghosts[:, :2], self.ghosts[:, 2], shape=shape, step=step, sigma=2.0)
        return _enlarge(self.haze * (0.6 * near + 0.4 * wide) + ghosts, shape=shape, step=step)


def _scatter(points: Array, flux: Array, *, shape: tuple[int, ...], step: float, sigma: float) -> Array:
    """Add up `flux` at `points` (y, x) on a grid that overhangs the image by 8 cells, then blur."""
    grid = np.zeros([int(n / step) + 18 for n in shape], np.float32)
    cells = np.rint(points / step).astype(int) + 8
    is_on = ((cells >= 0) & (cells < grid.shape)).all(axis=1)
    np.add.at(grid, tuple(cells[is_on].T), (flux[is_on] / step**2).astype(np.float32))
    return np.asarray(ndimage.gaussian_filter(grid, sigma, mode="nearest"))


def _enlarge(grid: Array, *, shape: tuple[int, ...], step: float) -> Array:
    """Interpolate the grid linearly at every pixel, one axis after the other."""
    for axis, length in enumerate(shape):
        place = np.arange(length, dtype=np.float32) / step + 8
        below = place.astype(int)
        part = (place - below).astype(np.float32).reshape([-1, 1] if axis == 0 else [1, -1])
        grid = np.take(grid, below, axis) * (1 - part) + np.take(grid, below + 1, axis) * part
    return grid
