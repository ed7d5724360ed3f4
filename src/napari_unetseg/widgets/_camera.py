"""The camera of a viewer, in every version of napari."""

from __future__ import annotations

from typing import Any


def camera_of(viewer: Any) -> Any:
    """Return the camera, which since napari 0.9 belongs to the scene."""
    return getattr(viewer, "scene", viewer).camera
