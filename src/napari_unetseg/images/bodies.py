"""The body of one simulated nucleus: which voxels it fills, and the light its chromatin gives in each plane.

A body is a bundle of columns along Z: above the pixel (y, x) it reaches from `low` to `high`. So a section is a
comparison, and the optical blur along Z has a closed form, whatever the number of planes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import erf

from napari_unetseg.images.nuclei import is_mitotic

Array = npt.NDArray[Any]

WAVES = 20
MIN_VISIBLE = 10  # pixels: less of a body in the field gets no label


@dataclass(frozen=True, slots=True)
class Texture:
    """How chromatin looks in a whole image: amplitude of its fine structure, number and strength of bright spots."""

    amplitude: float
    spots: int
    spot_strength: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Texture:
        """Draw the look of an image."""
        return cls(rng.uniform(0.14, 0.24), int(rng.integers(0, 5)), rng.uniform(0.2, 0.7))


@dataclass(frozen=True, slots=True)
class Field:
    """What all nuclei of an image share: its shape (Y, X), the heights of its planes, the look and the seed."""

    shape: tuple[int, int]
    heights: Array
    texture: Texture
    seed: int
    is_3d: bool


@dataclass(frozen=True, slots=True)
class Body:
    """Columns of a nucleus inside the crop at `corner` (y, x), and the terms of its texture."""

    id: int
    corner: tuple[int, int]
    low: Array  # (h, w), pixels along Z; above `high` where there is no nucleus
    high: Array
    depth: float  # semi-axis along Z
    brightness: float
    centre: float  # Z of the centre: the texture moves with the nucleus
    waves: tuple[Array, Array, Array]  # along Z (k,), Y (h, k), X (k, w): their product is the fine structure
    blobs: tuple[Array, Array, Array, Array]  # centre and width along Z (m,), Y (h, m), X (m, w)
    is_hidden: Array  # (h, w): columns without a label, so that the label is connected

    @property
    def window(self) -> tuple[slice, slice]:
        """Where the crop lies in the image."""
        (y, x), (height, width) = self.corner, self.low.shape
        return slice(y, y + height), slice(x, x + width)

    @property
    def top(self) -> float:
        """The largest Z it reaches."""
        return float(self.high.max())

    def section(self, z: float) -> Array:
        """Tell which pixels of the crop are nucleus at height `z`."""
        return np.asarray((self.low <= z) & (z <= self.high) & ~self.is_hidden)

    def light(self, z: float, *, blur: float | None) -> Array:
        """Return the light from height `z`, blurred along Z with sigma `blur`; without one, of the whole column."""
        if blur is None:
            thickness = np.clip((self.high - self.low) / (2 * self.depth), 0, 1)
            return np.asarray(self.brightness * thickness**0.4 * self._chromatin(z))
        scale = 1 / (math.sqrt(2) * blur)
        high = np.maximum(self.high, self.low)
        inside = 0.5 * (erf((high - z) * scale) - erf((self.low - z) * scale))
        return np.asarray(self.brightness * inside * self._chromatin(z))

    def _chromatin(self, z: float) -> Array:
        along_z, along_y, along_x = self.waves
        z = z - self.centre
        field = ((along_y * np.exp(np.complex64(1j) * along_z * z)) @ along_x).real
        centre, width, blob_y, blob_x = self.blobs
        blobs = (blob_y * np.exp(-0.5 * ((z - centre) / width) ** 2)) @ blob_x
        return np.asarray(np.clip(np.exp(field) + blobs, 0.15, 3.0))


def build(nucleus: Any, *, cuts: list[tuple[list[float], float]], field: Field) -> Body | None:
    """Shape one nucleus (a record of `nuclei.NUCLEUS`, its axes as they are shown); None where it lies outside.

    `cuts` are (normal, reach): the body ends where normal . (p - centre) exceeds the reach, at a neighbour.
    """
    z, *centre = nucleus["position"].tolist()
    (top, bottom), (left, right) = _crop(nucleus, centre=centre, shape=field.shape)
    if top >= bottom or left >= right:
        return None
    y, x = np.arange(top, bottom, dtype=np.float32) - centre[0], np.arange(left, right, dtype=np.float32) - centre[1]
    rng = np.random.default_rng([field.seed, int(nucleus["id"])])
    low, high = _columns(nucleus, y=y, x=x, is_3d=field.is_3d, rng=rng)
    for (slope, down, across), limit in cuts:
        low, high = _cut(low, high, margin=limit - down * y[:, None] - across * x, slope=slope)
    low, high = (low + z).astype(np.float32), (high + z).astype(np.float32)
    is_hidden = _loose_columns(low, high, heights=field.heights) if field.is_3d else np.zeros(low.shape, bool)
    return Body(
        id=int(nucleus["id"]),
        corner=(top, left),
        low=low,
        high=high,
        depth=float(nucleus["axes"][0]),
        brightness=float(nucleus["brightness"]) * (2.3 if is_mitotic(nucleus) else 1.0),
        centre=z,
        waves=_waves(nucleus, y=y, x=x, texture=field.texture, rng=rng),
        blobs=_blobs(nucleus, y=y, x=x, texture=field.texture, rng=rng),
        is_hidden=is_hidden,
    )


def largest_component(mask: Array) -> Array:
    """Return the largest connected part (diagonals connect) of `mask`, or nothing if that is under `MIN_VISIBLE`."""
    parts, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    if count == 0 or sizes.max() < MIN_VISIBLE:
        return np.zeros_like(mask)
    return np.asarray(parts == sizes.argmax() + 1) if count > 1 else mask


def _crop(nucleus: Any, *, centre: list[float], shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the rows and columns that hold the nucleus, dents and bend included, cut at the image."""
    _, minor, major = nucleus["axes"].tolist()
    cosine, sine = math.cos(nucleus["angle"]), math.sin(nucleus["angle"])
    reaches = [1.4 * np.hypot(major * sine, minor * cosine) + 1, 1.4 * np.hypot(major * cosine, minor * sine) + 1]
    return [(max(int(c - r), 0), min(int(c + r) + 2, n)) for c, r, n in zip(centre, reaches, shape, strict=True)]


def _columns(nucleus: Any, *, y: Array, x: Array, is_3d: bool, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return the height of bottom and top of each column, relative to the centre: a bent, dented, tilted ellipsoid."""
    depth, minor, major = nucleus["axes"].tolist()
    cosine, sine = math.cos(nucleus["angle"]), math.sin(nucleus["angle"])
    along = (x * cosine + y[:, None] * sine) / major
    across = (y[:, None] * cosine - x * sine) / minor + float(nucleus["bend"]) * (along**2 - 0.35) * major / minor
    order = np.arange(2, 6)[:, None]
    turn = np.linspace(0, 2 * np.pi, 256, endpoint=False)
    dents = rng.normal(0, 0.16, (4, 1)) / order**1.5 * np.cos(order * turn + rng.uniform(0, 2 * np.pi, (4, 1)))
    angle = np.arctan2(across, along)  # (h, w)
    profile = 1 + np.clip(dents.sum(axis=0), -0.2, 0.2).astype(np.float32)
    radius = profile[(angle * np.float32(128 / np.pi)).astype(np.intp) % 256]
    height = 1 - (along**2 + across**2) / radius**2
    half = depth * np.sqrt(np.clip(height, 0, None))
    tilt_y, tilt_x = nucleus["tilt"].tolist()
    middle = tilt_y * y[:, None] + tilt_x * x if is_3d else 0.0
    return np.where(height > 0, middle - half, 1.0), np.where(height > 0, middle + half, -1.0)


def _cut(low: Array, high: Array, *, margin: Array, slope: float) -> tuple[Array, Array]:
    """Keep what lies below slope * z = margin, column by column."""
    if abs(slope) < 1e-6:
        return np.where(margin > 0, low, 1.0), np.where(margin > 0, high, -1.0)
    end = margin / slope
    if slope > 0:
        high = np.minimum(high, end)
    else:
        low = np.maximum(low, end)
    return np.where(low < high, low, 1.0), np.where(low < high, high, -1.0)


def _loose_columns(low: Array, high: Array, *, heights: Array) -> Array:
    """Tell which columns do not hang together with the largest part of the body on this grid of planes."""
    near = heights[(heights >= low.min()) & (heights <= high.max())][:, None, None]
    return np.asarray(~largest_component((low <= near) & (near <= high)).any(axis=0))


def _waves(
    nucleus: Any, *, y: Array, x: Array, texture: Texture, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Draw the fine structure: plane waves from coarse (the radius) to fine, the coarse ones stronger."""
    radius = float(nucleus["axes"].mean())
    length = np.maximum(radius * np.exp(rng.uniform(np.log(0.2), np.log(1.2), WAVES)), 2.5)
    direction = rng.normal(0, 1, (3, WAVES))
    frequency = (2 * np.pi / length * direction / np.linalg.norm(direction, axis=0)).astype(np.float32)
    amplitude = length**0.3 * np.exp(1j * rng.uniform(0, 2 * np.pi, WAVES))
    amplitude *= texture.amplitude * (0.4 if is_mitotic(nucleus) else 1.0) / np.sqrt((np.abs(amplitude) ** 2).sum() / 2)
    along_y, along_x = _turn(frequency[1], frequency[2], angle=nucleus["angle"])
    waves_y = amplitude.astype(np.complex64) * np.exp(np.complex64(1j) * y[:, None] * along_y)
    return frequency[0], waves_y, np.exp(np.complex64(1j) * along_x[:, None] * x)


def _blobs(
    nucleus: Any, *, y: Array, x: Array, texture: Texture, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """Draw nucleoli (dark) and dense chromatin (bright) as Gaussian blobs; condensed chromatin shows neither."""
    dark, bright = rng.integers(0, 5), rng.poisson(texture.spots)
    count = dark + bright
    is_dark = np.arange(count) < dark
    direction = rng.normal(0, 1, (3, count))
    direction /= np.linalg.norm(direction, axis=0)
    centre = nucleus["axes"][:, None] * direction * rng.uniform(0, 1, count) ** 0.5 * np.where(is_dark, 0.55, 0.8)
    width = nucleus["axes"][1] * np.where(is_dark, rng.uniform(0.12, 0.24, count), rng.uniform(0.08, 0.16, count))
    strength = np.where(is_dark, -rng.uniform(0.25, 0.6, count), texture.spot_strength * rng.uniform(0.4, 1, count))
    strength *= not is_mitotic(nucleus)
    at_y, at_x = _turn(centre[1], centre[2], angle=nucleus["angle"])
    blob_y = strength * np.exp(-0.5 * ((y[:, None] - at_y) / width) ** 2)
    return centre[0], width, blob_y, np.exp(-0.5 * ((x - at_x[:, None]) / width[:, None]) ** 2)


def _turn(minor: Array, major: Array, *, angle: float) -> tuple[Array, Array]:
    """Return the (y, x) components of vectors given along the minor and the major axis."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return major * sine + minor * cosine, major * cosine - minor * sine
