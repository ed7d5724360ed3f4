"""A population of simulated nuclei: where they lie, how large they are, how they move, touch and divide.

Positions and lengths are (Z, Y, X) in pixels of the YX plane; in two dimensions all nuclei lie at z = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

Array = npt.NDArray[Any]

NUCLEUS = np.dtype(
    [
        ("id", np.int64),
        ("position", np.float64, 3),
        ("velocity", np.float64, 3),
        ("axes", np.float64, 3),  # semi-axes: depth, minor, major
        ("angle", np.float64),  # of the major axis, from X towards Y
        ("bend", np.float64),
        ("tilt", np.float64, 2),  # rise of the middle plane per pixel along Y and X
        ("brightness", np.float64),
        ("age", np.float64),  # frames since birth
        ("clock", np.float64),  # frames until division
    ]
)
CYCLE = 60.0  # frames between two divisions
MITOSIS = 2.0  # frames before division during which the chromatin is condensed


@dataclass(frozen=True, slots=True)
class Contacts:
    """Planes between near nuclei: a nucleus is where normal . (p - its centre) < reach, for each of its planes."""

    starts: Array  # planes starts[i] .. starts[i + 1] belong to nucleus i
    normals: Array  # (planes, 3), of length 1, towards the neighbour
    reaches: Array

    def of(self, index: int) -> list[tuple[list[float], float]]:
        """Return the (normal, reach) of nucleus `index`."""
        rows = slice(self.starts[index], self.starts[index + 1])
        return list(zip(self.normals[rows].tolist(), self.reaches[rows].tolist(), strict=True))


def populate(extent: tuple[float, float, float], *, diameter: float, density: float, rng: np.random.Generator) -> Array:
    """Draw nuclei that fill the share `density` of a box (Z, Y, X) of `extent` pixels, and of a margin around it.

    About half of them lie in clusters; those that overlap are then pushed apart until they touch.
    """
    is_3d = extent[0] > 0
    # a nucleus is a little flat, and contacts cut some of it: 0.87 of a sphere, measured
    margin = np.array([0.75 * is_3d, 1.0, 1.0]) * diameter
    size = np.asarray(extent) + 2 * margin
    one = 0.87 * np.pi / 6 * diameter**3 if is_3d else np.pi / 4 * diameter**2
    nuclei = _draw(max(round(density * float(np.prod(size[size > 0])) / one), 1), diameter=diameter, rng=rng)
    nuclei["position"] = _clustered(len(nuclei), size=size, diameter=diameter, rng=rng) - margin
    relax(nuclei, rounds=40)
    return nuclei


def advance(nuclei: Array, *, diameter: float, is_3d: bool, next_id: int, rng: np.random.Generator) -> Array:
    """Return the nuclei one frame later: drifted, turned, grown, and divided where their time has come."""
    later = nuclei.copy()
    kick = rng.normal(0, 0.03 * diameter, (len(later), 3)) * [0.5 * is_3d, 1, 1]
    later["velocity"] = 0.8 * later["velocity"] + kick
    later["position"] += later["velocity"]
    later["angle"] += rng.normal(0, 0.05, len(later))
    later["axes"] *= 1.005
    later["age"] += 1
    later["clock"] -= 1
    mothers = later["clock"] <= 0
    later = np.concatenate([later[~mothers], _divide(later[mothers], next_id=next_id, rng=rng)])
    relax(later, rounds=6)
    return later


def is_mitotic(nuclei: Array) -> Array:
    """Tell which nuclei are condensed: shortly before their division, and in the frame after it."""
    return (nuclei["clock"] < MITOSIS) | (nuclei["age"] < 1)


def shown_axes(nuclei: Array) -> Array:
    """Return the semi-axes as they appear now: condensed chromatin is a thin bright plate."""
    return np.where(is_mitotic(nuclei)[:, None], nuclei["axes"] * [0.7, 0.5, 0.82], nuclei["axes"])


def relax(nuclei: Array, *, rounds: int, spacing: float = 0.96) -> None:
    """Push nuclei apart, in place, until centres are `spacing` times the sum of the radii between them."""
    axes = shown_axes(nuclei)
    for _ in range(rounds):
        first, second, offset, distance, radii, _ = _pairs(nuclei, axes=axes, margin=1.0)
        push = np.clip(spacing * radii.sum(axis=0) - distance, 0, None) / 2
        if push.max(initial=0) <= 0.01 * axes.max(initial=0):
            return
        step = offset * (push / distance)[:, None]
        np.add.at(nuclei["position"], first, -step)
        np.add.at(nuclei["position"], second, step)


def contacts(nuclei: Array, *, overlap: float) -> Contacts:
    """Find the planes that part near nuclei; each nucleus may reach `overlap` pixels beyond them."""
    axes = shown_axes(nuclei)
    first, second, offset, _, radii, normal = _pairs(nuclei, axes=axes, margin=1.3)
    across = (normal * offset).sum(axis=1)
    share = radii[0] / np.maximum(radii.sum(axis=0), 1e-12)
    owner = np.concatenate([first, second])
    normals = np.concatenate([normal, -normal])
    reaches = np.concatenate([across * share, across * (1 - share)]) + overlap
    is_near = reaches < 1.4 * _support(normals, axes=axes[owner], nuclei=nuclei[owner])
    order = np.flatnonzero(is_near)[np.argsort(owner[is_near], kind="stable")]
    starts = np.searchsorted(owner[order], np.arange(len(nuclei) + 1))
    return Contacts(starts, normals[order], reaches[order])


def _draw(count: int, *, diameter: float, rng: np.random.Generator) -> Array:
    nuclei = np.zeros(count, NUCLEUS)
    elongation = 1 + rng.beta(2, 4, count) * rng.uniform(0.7, 1.2)
    radius = diameter / 2 * np.exp(np.clip(rng.normal(0, 0.14, count), -0.3, 0.3)) * 0.98
    flatness = rng.uniform(0.8, 1.05, count)
    nuclei["id"] = np.arange(1, count + 1)
    nuclei["axes"] = np.stack([radius * flatness, radius / np.sqrt(elongation), radius * np.sqrt(elongation)], axis=1)
    nuclei["angle"] = rng.uniform(0, 2 * np.pi, count)
    nuclei["bend"] = np.clip(rng.normal(0, 0.1, count), -0.2, 0.2)
    nuclei["tilt"] = rng.normal(0, 0.15, (count, 2))
    nuclei["brightness"] = np.exp(rng.normal(0, 0.28, count))
    nuclei["age"] = rng.uniform(1, CYCLE, count)
    nuclei["clock"] = rng.uniform(0, CYCLE, count)
    return nuclei


def _clustered(count: int, *, size: Array, diameter: float, rng: np.random.Generator) -> Array:
    position = rng.uniform(0, 1, (count, 3)) * size
    spread = diameter * rng.uniform(0.8, 1.6) * (size > 0)
    centres = position[rng.integers(0, count, count) // 6 * 6 % count]
    is_in_cluster = rng.uniform(0, 1, count) < rng.uniform(0.35, 0.6)
    near = centres + rng.normal(0, 1, (count, 3)) * spread
    position[is_in_cluster] = near[is_in_cluster]
    low, high = np.zeros(3), size
    return np.where(position < low, -position, np.where(position > high, 2 * high - position, position))


def _divide(mothers: Array, *, next_id: int, rng: np.random.Generator) -> Array:
    """Replace each mother by two smaller daughters beside each other across the plate, with new ids."""
    daughters = np.repeat(mothers, 2)
    side = np.tile([-1.0, 1.0], len(mothers))
    angle = daughters["angle"]
    across = np.stack([np.zeros_like(angle), np.cos(angle), -np.sin(angle)], axis=1) * side[:, None]
    daughters["position"] += across * 0.7 * daughters["axes"][:, 1:2]
    daughters["velocity"] = across * 0.15 * daughters["axes"][:, 1:2]
    daughters["axes"] *= 0.8
    daughters["id"] = np.arange(next_id, next_id + len(daughters))
    daughters["age"] = 0
    daughters["clock"] = CYCLE * rng.uniform(0.7, 1.3, len(daughters))
    return daughters


def _pairs(nuclei: Array, *, axes: Array, margin: float) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Return what is known of pairs nearer than `margin` times the sum of their longest axes.

    Indices of both, offset, distance, radii (2, pairs) along the offset, and the normal of their contact.
    """
    position, longest = nuclei["position"], axes.max(axis=1, initial=0)
    pairs = KDTree(position).query_pairs(2 * margin * float(longest.max(initial=0)), output_type="ndarray")
    distance = np.linalg.norm(position[pairs[:, 1]] - position[pairs[:, 0]], axis=1)
    pairs = pairs[distance < margin * longest[pairs].sum(axis=1)]
    pairs = pairs[np.lexsort(pairs.T[::-1])]  # the order of a sum decides its last digit
    first, second = pairs.T
    offset = position[second] - position[first]
    distance = np.maximum(np.linalg.norm(offset, axis=1), 1e-6)
    radii, normal = np.empty((2, len(pairs))), np.zeros((len(pairs), 3))
    for row, index in enumerate((first, second)):
        gradient = _gradient(offset, axes=axes[index], angle=nuclei["angle"][index])
        radii[row] = distance / np.sqrt(np.maximum((gradient * offset).sum(axis=1), 1e-12))
        normal += gradient
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    return first, second, offset, distance, radii, normal


def _gradient(offset: Array, *, axes: Array, angle: Array) -> Array:
    """Return A x offset, where offset' A offset = 1 on the surface of an ellipsoid with these axes and angle."""
    z, y, x = offset.T
    cosine, sine = np.cos(angle), np.sin(angle)
    major = (x * cosine + y * sine) / axes[:, 2] ** 2
    minor = (y * cosine - x * sine) / axes[:, 1] ** 2
    return np.stack([z / axes[:, 0] ** 2, major * sine + minor * cosine, major * cosine - minor * sine], axis=1)


def _support(normal: Array, *, axes: Array, nuclei: Array) -> Array:
    """Return how far each ellipsoid, without dents, reaches along a normal."""
    z = normal[:, 0]
    y, x = (normal[:, 1:] + z[:, None] * nuclei["tilt"]).T
    cosine, sine = np.cos(nuclei["angle"]), np.sin(nuclei["angle"])
    along = np.stack([z, y * cosine - x * sine, x * cosine + y * sine], axis=1)
    return np.asarray(np.linalg.norm(along * axes, axis=1))
