"""The folder of the pictures that a training draws of held-back images: NAME.samples beside the model."""

from __future__ import annotations

import re
from pathlib import Path

from napari_unetseg.schema.errors import InputError


def samples_of(model: Path) -> Path:
    """Return the folder where the samples of a model lie."""
    return model.with_name(f"{model.stem}.samples")


def check_samples(model: Path, *, may_hold_some: bool = False) -> None:
    """Refuse a file in the place of the folder, and pictures of an earlier run in it, unless it may hold some."""
    folder = samples_of(model)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: samples need a folder of this name, and a file has it; move it away")
    if _pictures(folder) and not may_hold_some:
        raise InputError(f"{folder}: holds samples of an earlier run; choose another model name or give --overwrite")


def clear_samples(model: Path, *, since: int = 0) -> None:
    """Remove the pictures of an earlier run, from a step on; other files stay."""
    for step, path in _pictures(samples_of(model)).items():
        if step >= since:
            path.unlink()


def _pictures(folder: Path) -> dict[int, Path]:
    """Return the pictures in a folder by their steps."""
    named = [(re.fullmatch(r"step_(\d{6,})\.png", path.name), path) for path in folder.glob("step_*.png")]
    return {int(match[1]): path for match, path in named if match}
