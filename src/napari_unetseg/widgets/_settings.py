"""The plugin's settings in napari's preferences: device, precision, tile, and the folder of models."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from napari_unetseg.models import library
from napari_unetseg.schema.config import TilingConfig

PLUGIN = "napari-unetseg"
logger = logging.getLogger(__name__)


def tiling() -> TilingConfig:
    """Return device, precision and tile as the preferences have them; the default for one that makes no sense."""
    settings = _settings()
    result = TilingConfig()
    if settings is None:
        return result
    chosen = settings.computing
    for name, value in {"device": chosen.device.strip(), "precision": chosen.precision, "tile": chosen.tile}.items():
        try:
            result = result.replace(**{name: value or None})
        except ValidationError as error:
            logger.warning("preferences of %s: %s '%s' is not used: %s", PLUGIN, name, value, error.errors()[0]["msg"])
    return result


def use_model_folder() -> None:
    """Make the library keep the user's models in the folder that the preferences name, if they do."""
    settings = _settings()
    folder = "" if settings is None else settings.models.folder.strip()
    library.prefer_folder(Path(folder).expanduser() if folder else None)


def _settings() -> Any:
    try:
        from napari.settings import get_plugin_settings
    except ImportError:  # napari 0.8 has no preferences for plugins
        return None
    try:
        return get_plugin_settings(PLUGIN)
    except (KeyError, ValueError):  # the plugin is disabled, or used from a script without being installed
        return None
