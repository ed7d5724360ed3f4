"""Show an image file, and the label file made from it, as layers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari.layers import Labels, Layer

from napari_unetseg.images.display import Picture, label_picture, picture_of
from napari_unetseg.images.read import open_image
from napari_unetseg.schema.errors import UnetSegError
from napari_unetseg.schema.events import Event, Note
from napari_unetseg.tasks.meaning import classes_of
from napari_unetseg.widgets._layers import METADATA, add_labels

ROLE = "batch"


@dataclass(frozen=True)
class Opened:
    """What was read: an image, and its labels where there are some."""

    path: Path
    image: Picture
    labels_path: Path | None = None
    labels: Picture | None = None


def read_files(path: Path, labels: Path | None, *, axes: str | None = None) -> Generator[Event, None, Opened]:
    """Read for `add_files`; this is a task for another thread."""
    yield Note(f"opening {path.name}")
    image = picture_of(open_image(path, axes=axes))
    return Opened(path, image, labels, None if labels is None else label_picture(labels))


def add_files(viewer: Any, opened: Opened) -> None:
    """Add what was read as layers, with pixel size and axis labels."""
    image = opened.image
    channel = image.letters.index("C") if "C" in image.letters and not image.is_rgb else None
    added = viewer.add_image(image.data, name=opened.path.name, channel_axis=channel, rgb=image.is_rgb, **placed(image))
    if opened.labels is None or opened.labels_path is None:
        return
    source = added[0].name if isinstance(added, list) else added.name
    facts = {"role": ROLE, "source": source, **_identity(opened.labels_path), **_classes(opened.labels_path)}
    add_labels(viewer, opened.labels.data, name=_stem(opened.labels_path), place=placed(opened.labels), facts=facts)


def label_reader(path: str | Sequence[str]) -> Callable[[str], list[Any]] | None:
    """Return the reader for a result opened by name: its labels, with all levels and the pixel size; else none."""
    if not isinstance(path, str):
        return label_reader(path[0]) if len(path) == 1 else None
    try:
        opened = open_image(path)
    except UnetSegError:
        return None  # another reader may know it
    return read_result if opened.dtype.kind in "ui" and opened.sizes["C"] == 1 else None


def read_result(path: str | Sequence[str]) -> list[Any]:
    """Return what napari makes a Labels layer of."""
    found = Path(path if isinstance(path, str) else path[0])
    picture = label_picture(found)
    known = {"name": _stem(found), "metadata": {METADATA: _classes(found)}, **placed(picture)}
    return [(picture.data, known, "labels")]


def shown_as(viewer: Any, labels: Path) -> Layer | None:
    """Return the layer that shows this label file as it is now."""
    identity = _identity(labels)
    for layer in viewer.layers:
        facts = layer.metadata.get(METADATA, {})
        if isinstance(layer, Labels) and {key: facts.get(key) for key in identity} == identity:
            return layer
    return None


def placed(picture: Picture) -> dict[str, Any]:
    """Return scale, units and axis labels of a picture's layer."""
    letters = picture.letters.replace("C", "")
    return {
        "scale": tuple(picture.scale.get(letter, 1.0) for letter in letters),
        "units": tuple("um" if letter in picture.scale else "pixel" for letter in letters),
        "axis_labels": tuple(letter.lower() for letter in letters),
    }


def _classes(path: Path) -> dict[str, Any]:
    """Return the names of the classes where labels are some, as the Segment dock notes them down."""
    names = classes_of(path)
    return {"classes": list(names)} if names else {}


def _identity(path: Path) -> dict[str, Any]:
    return {"file": str(path), "written": path.stat().st_mtime_ns}


def _stem(path: Path) -> str:
    return path.name.rpartition("_labels.")[0] + " labels"
