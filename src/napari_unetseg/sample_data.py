"""The samples that napari lists under File > Open Sample: simulated cells with their true labels."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]

PIXEL = 0.325
"""µm in the image: a camera of 6.5 µm behind a 20x objective."""
STEP = 1.0
"""µm between two planes."""
INTERVAL = 300.0
"""Seconds between two frames."""


def cells_2d() -> list[LayerData]:
    """Give one image (Y, X) and its labels, hidden."""
    return _layers((512, 512))


def cells_3d() -> list[LayerData]:
    """Give one stack (Z, Y, X) and its labels."""
    return _layers((32, 256, 256))


def cells_time() -> list[LayerData]:
    """Give a time series (T, Y, X) and its labels; an object keeps its id while it moves."""
    return _layers((256, 256), time_points=8)


def membranes_3d() -> list[LayerData]:
    """Give a stack (Z, Y, X) of cells with bright membranes, which no bundled model knows, and its labels."""
    import numpy as np

    from napari_unetseg.images.membranes import stain_membranes
    from napari_unetseg.images.simulate import simulate

    _, labels = simulate((24, 256, 256), seed=0, diameter=30, density=0.45, anisotropy=STEP / PIXEL)
    rng = np.random.default_rng(0)
    image = np.stack([stain_membranes(plane, rng=rng) for plane in labels])
    return _pair(image, labels, name="cells", axes=("z", "y", "x"))


def _layers(shape: tuple[int, ...], *, time_points: int | None = None) -> list[LayerData]:
    from napari_unetseg.images.simulate import simulate

    image, labels = simulate(shape, seed=0, time_points=time_points, anisotropy=STEP / PIXEL)
    axes = ("t",) * (time_points is not None) + ("z", "y", "x")[-len(shape) :]
    return _pair(image, labels, name="nuclei", axes=axes)


def _pair(image: Any, labels: Any, *, name: str, axes: tuple[str, ...]) -> list[LayerData]:
    place = _place(axes)
    truth = {"name": f"{name} truth", "visible": False, **place}  # hidden, or nobody would see the image
    return [(image, {"name": name, **place}, "image"), (labels, truth, "labels")]


def _place(axes: tuple[str, ...]) -> dict[str, Any]:
    sizes = {"t": (INTERVAL, "s"), "z": (STEP, "um"), "y": (PIXEL, "um"), "x": (PIXEL, "um")}
    return {
        "scale": tuple(sizes[axis][0] for axis in axes),
        "units": tuple(sizes[axis][1] for axis in axes),
        "axis_labels": axes,
    }
