"""Simulate fluorescent nuclei with known truth: 2D, 3D and in time, of any size, plane by plane."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_unetseg.images.bodies import Body, Field, Texture, build, largest_component
from napari_unetseg.images.camera import Camera
from napari_unetseg.images.nuclei import advance, contacts, populate, shown_axes
from napari_unetseg.schema.errors import InputError

Image = npt.NDArray[np.uint16]
Labels = npt.NDArray[np.uint32]
Array = npt.NDArray[Any]

MAX_DENSITY = 0.6
MIN_DIAMETER = 6.0


def simulate(
    shape: tuple[int, ...],
    *,
    seed: int = 0,
    density: float = 0.25,
    diameter: float = 24.0,
    time_points: int | None = None,
    anisotropy: float = 1.0,
    noise: float = 1.0,
) -> tuple[Image, Labels]:
    """Return an image ([T,] [Z,] Y, X) and its labels.

    `shape` is ([Z,] Y, X) in pixels; the same `seed` gives the same images. Nuclei of mean `diameter` (pixels) cover
    about the share `density` of the image, at most 0.6. With `time_points` they drift, grow and divide in so many
    frames: a nucleus keeps its id, daughters get new ones. `anisotropy` is the step between planes in pixels of the YX
    plane; `noise` a factor of the camera's noise, 0 for none.

    Ids are unique but need not be consecutive. Each label is one connected object in each frame.
    """
    planes = simulate_planes(
        shape,
        seed=seed,
        density=density,
        diameter=diameter,
        time_points=time_points,
        anisotropy=anisotropy,
        noise=noise,
    )
    full = (() if time_points is None else (time_points,)) + tuple(shape)
    image, labels = np.empty(full, np.uint16), np.empty(full, np.uint32)
    for index, (image_plane, label_plane) in zip(np.ndindex(full[:-2]), planes, strict=True):
        image[index], labels[index] = image_plane, label_plane
    return image, labels


def simulate_planes(
    shape: tuple[int, ...],
    *,
    seed: int = 0,
    density: float = 0.25,
    diameter: float = 24.0,
    time_points: int | None = None,
    anisotropy: float = 1.0,
    noise: float = 1.0,
) -> Iterator[tuple[Image, Labels]]:
    """Yield the (Y, X) planes of `simulate` one by one, frame after frame: memory holds a plane and its nuclei."""
    scene = _Scene(tuple(shape), seed, density, diameter, time_points, anisotropy, noise)
    _check(scene)
    return _planes(scene)


@dataclass(frozen=True, slots=True)
class _Scene:
    shape: tuple[int, ...]
    seed: int
    density: float
    diameter: float
    time_points: int | None
    anisotropy: float
    noise: float

    @property
    def is_3d(self) -> bool:
        return len(self.shape) == 3

    @property
    def heights(self) -> Array:
        """Z of each plane in pixels of the YX plane."""
        steps = np.arange(self.shape[0] if self.is_3d else 1)
        return (steps * self.anisotropy).astype(np.float32)


def _planes(scene: _Scene) -> Iterator[tuple[Image, Labels]]:
    rng = np.random.default_rng(scene.seed)
    field = Field(
        shape=(scene.shape[-2], scene.shape[-1]),
        heights=scene.heights,
        texture=Texture.draw(rng),
        seed=scene.seed,
        is_3d=scene.is_3d,
    )
    camera = Camera.draw(field.shape, diameter=scene.diameter, is_3d=scene.is_3d, noise=scene.noise, rng=rng)
    depth = float(scene.heights[-1] + 1) if scene.is_3d else 0.0
    extent = (depth, float(field.shape[0]), float(field.shape[1]))
    nuclei = populate(extent, diameter=scene.diameter, density=scene.density, rng=rng)
    next_id = len(nuclei) + 1
    for time in range(scene.time_points or 1):
        if time:
            nuclei = advance(nuclei, diameter=scene.diameter, is_3d=scene.is_3d, next_id=next_id, rng=rng)
            next_id = max(next_id, int(nuclei["id"].max()) + 1)
        frame = _volume(nuclei, field=field, diameter=scene.diameter)
        if not scene.is_3d:
            frame = _flat(nuclei, field=field, diameter=scene.diameter)
        for z, (light, labels) in zip(field.heights.tolist(), frame, strict=True):
            own = np.random.default_rng([scene.seed, 0, time, round(z / scene.anisotropy)])
            yield camera.expose(light, nuclei=nuclei, height=z, rng=own), labels


def _flat(nuclei: Array, *, field: Field, diameter: float) -> Iterator[tuple[Array, Labels]]:
    """Yield the one plane of a widefield frame: light of overlapping nuclei adds up, the label is the front one's."""
    light, labels = np.zeros(field.shape, np.float32), np.zeros(field.shape, np.uint32)
    bodies = [body for body in _bodies(nuclei, field=field, overlap=0.03 * diameter) if body is not None]
    for body in bodies:
        light[body.window] += body.light(0.0, blur=None)
        labels[body.window][body.section(0.0)] = body.id
    for body in bodies:  # drop what a nucleus in front has cut off
        crop = labels[body.window]
        mine = crop == body.id
        crop[mine & ~largest_component(mine)] = 0
    yield light, labels


def _volume(nuclei: Array, *, field: Field, diameter: float) -> Iterator[tuple[Array, Labels]]:
    """Yield the planes of a stack; a nucleus is shaped when the first plane needs it and dropped after the last."""
    blur = 0.08 * diameter  # sigma of the optical blur along Z
    entry = nuclei["position"][:, 0] - 1.5 * nuclei["axes"][:, 0] - 3 * blur
    order = np.argsort(entry, kind="stable")
    coming = zip(entry[order], _bodies(nuclei[order], field=field, overlap=0.0), strict=True)
    waiting = next(coming, None)
    active: list[Body] = []
    for z in field.heights.tolist():
        while waiting is not None and waiting[0] <= z:
            active += [waiting[1]] if waiting[1] is not None else []
            waiting = next(coming, None)
        active = [body for body in active if body.top + 3 * blur >= z]
        light, labels = np.zeros(field.shape, np.float32), np.zeros(field.shape, np.uint32)
        for body in active:
            light[body.window] += body.light(z, blur=blur)
            labels[body.window][body.section(z)] = body.id
        yield light, labels


def _bodies(nuclei: Array, *, field: Field, overlap: float) -> Iterator[Body | None]:
    planes = contacts(nuclei, overlap=overlap)
    shown = nuclei.copy()
    shown["axes"] = shown_axes(nuclei)
    for index, nucleus in enumerate(shown):
        yield build(nucleus, cuts=planes.of(index), field=field)


def _check(scene: _Scene) -> None:
    if len(scene.shape) not in (2, 3) or min(scene.shape) < 1:
        raise InputError(f"a simulated image has shape (Y, X) or (Z, Y, X), none of them 0; got {scene.shape}")
    if not 0 < scene.density <= MAX_DENSITY:
        raise InputError(f"density must be above 0 and at most {MAX_DENSITY}, got {scene.density}; 0.25 is usual")
    if scene.diameter < MIN_DIAMETER:
        raise InputError(f"diameter must be at least {MIN_DIAMETER:g} pixels, got {scene.diameter}")
    if scene.time_points is not None and scene.time_points < 1:
        raise InputError(f"time_points must be at least 1, got {scene.time_points}; leave it out for a single frame")
    if not 0.05 <= scene.anisotropy <= 50:
        raise InputError(f"anisotropy (Z step / pixel size) must be 0.05 to 50, got {scene.anisotropy}")
    if not 0 <= scene.noise <= 100:
        raise InputError(f"noise must be 0 to 100, got {scene.noise}; 1 is usual, 0 turns it off")
    if scene.seed < 0:
        raise InputError(f"seed must not be negative, got {scene.seed}")
