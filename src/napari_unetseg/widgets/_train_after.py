"""What one does with a model that was just trained: segment with it, or read what it says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QWidget

from napari_unetseg.widgets._card import show_card
from napari_unetseg.widgets._models import ModelChooser
from napari_unetseg.widgets._open import open_dock

SEGMENT = "Segment"
"""Display name of the other dock in the manifest."""


def segment_with(viewer: Any, model: Path | None) -> None:
    """Open the Segment dock with this model chosen, where there is one."""
    chooser = getattr(open_dock(viewer, SEGMENT), "model", None)
    if isinstance(chooser, ModelChooser) and model is not None:
        chooser.refresh()
        chooser.set_value(model)


def show_card_of(model: Path, *, parent: QWidget) -> None:
    """Show a model's card; raises where its file was moved or overwritten meanwhile."""
    from napari_unetseg.models import file

    show_card(file.read_card(model), path=model, parent=parent)
