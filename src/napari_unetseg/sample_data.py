"""The samples that napari lists under File > Open Sample: simulated nuclei with their true labels."""

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


def _layers(shape: tuple[int, ...], *, time_points: int | None = None) -> list[LayerData]:
    from napari_unetseg.images.simulate import simulate

    image, labels = simulate(shape, seed=0, time_points=time_points, anisotropy=STEP / PIXEL)
    place = _place(("t",) * (time_points is not None) + ("z", "y", "x")[-len(shape) :])
    truth = {"name": "nuclei truth", "visible": False, **place}  # hidden, or nobody would see the image
    return [(image, {"name": "nuclei", **place}, "image"), (labels, truth, "labels")]


def _place(axes: tuple[str, ...]) -> dict[str, Any]:
    sizes = {"t": (INTERVAL, "s"), "z": (STEP, "um"), "y": (PIXEL, "um"), "x": (PIXEL, "um")}
    return {
        "scale": tuple(sizes[axis][0] for axis in axes),
        "units": tuple(sizes[axis][1] for axis in axes),
        "axis_labels": axes,
    }
