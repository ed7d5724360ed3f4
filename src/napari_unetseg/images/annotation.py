"""What every format of annotations comes down to: for each image its names, and a function that draws its labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_unetseg.images.canvas import Drawn
from napari_unetseg.images.source import ImageSource

AnnotationFormat = Literal["masks", "labels", "palette", "colours", "coco", "labelme", "imagej"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """The annotations of one image, or why they cannot be used."""

    name: str
    """What a person is told: the file, or the image within it."""
    images: tuple[str | Path, ...] = ()
    """Names or stems the image may have, the most likely first; a path if it is known."""
    draw: Callable[[ImageSource], Drawn] | None = None
    """Gives the labels of the opened image; none if there is an error."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Annotations:
    """All that was found: one entry for each image, names of the classes 1, 2, ..., and what a person should know."""

    items: tuple[Annotation, ...]
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """The files and folders that were read; they are no images."""
