"""Outline every cell with a U-Net; this module gives the few public names, each loaded at its first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_unetseg import tasks
    from napari_unetseg.schema.config import Recipe
    from napari_unetseg.tasks.evaluate import evaluate
    from napari_unetseg.tasks.segment import segment
    from napari_unetseg.tasks.train import train

__version__ = "0.1.0"
__all__ = ["Recipe", "__version__", "evaluate", "segment", "tasks", "train"]

_MODULES = {"Recipe": "schema.config", "evaluate": "tasks.evaluate", "segment": "tasks.segment", "train": "tasks.train"}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: torch takes a second, and `import napari_unetseg` must not."""
    if name == "tasks":
        for module in ("segment", "train", "evaluate"):
            import_module(f"{__name__}.tasks.{module}")
        return import_module(f"{__name__}.tasks")
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
