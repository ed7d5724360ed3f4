"""How image and label files lie together: paired files and folders, folders of masks, and names for outputs."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_unetseg.images.axes import label_axes
from napari_unetseg.images.find import ENDINGS, list_images
from napari_unetseg.images.masks import LabelReader, mask_folders
from napari_unetseg.images.read import ImageSource, open_image
from napari_unetseg.images.zarr_store import name_inside
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

LABEL_SUFFIXES = ("", "_labels", "_masks", "_mask")
_LONGEST_NAME = 200
"""Bytes of an output name; file systems allow 255, and temporary names are longer."""


def pair_files(images: str | Path, labels: str | Path) -> list[tuple[Path, Path]]:
    """Pair two files, or files of two folders: by equal name, else equal stem, else STEM_labels, _masks or _mask.

    In place of label files there may be folders of masks, one mask per cell: STEM/*.png or STEM/masks/*.png. Such a
    folder can hold the image too, ID/images/ID.png and ID/masks/*.png; then `images` is the same folder as `labels`.
    """
    return _pair(Path(images), Path(labels), list_left=_list_pictures, words=_IMAGES)


def pair_labels(truth: str | Path, predicted: str | Path) -> list[tuple[Path, Path]]:
    """Pair true and predicted labels as `pair_files` pairs images and labels; both may be folders of masks."""
    return _pair(Path(truth), Path(predicted), list_left=_list_labels, words=_TRUTH)


@dataclass(frozen=True, slots=True)
class _Words:
    """What the files of both sides are called in errors, and those that one of them lacks."""

    left: str
    right: str
    without_right: str
    without_left: str
    both: str


_IMAGES = _Words(
    "image", "label file", "without labels", "without an image", "the folder of images, then that of labels"
)
_TRUTH = _Words(
    "true label file",
    "predicted label file",
    "without predicted labels",
    "without truth",
    "the folder of predicted labels, then that of the truth",
)


def _pair(
    left: Path, right: Path, *, list_left: Callable[[Path], dict[Path, Path]], words: _Words
) -> list[tuple[Path, Path]]:
    if _is_single(left) and _is_single(right):
        return [(left, right)]
    if _is_single(left) or _is_single(right):
        raise InputError(
            f"{left} and {right}: give two files or two folders, not one of each; "
            "for one mask per cell, a folder with a folder of masks for each image"
        )
    right = left if left.resolve() == right.resolve() else right
    named, right_files = _split(list_left(left), _list_labels(right))
    for folder, files, noun in ((left, named, words.left), (right, right_files, words.right)):
        if not files and (left != right or not (named or right_files)):
            raise InputError(f"{folder}: holds no {noun}s; check the path and the kind of files")
    free = _LabelIndex(right_files)
    found = {path: free.take(free.by_name(name)) for path, name in named.items()}  # equal names go before similar ones
    found = {path: label or free.take(free.by_suffix(named[path])) for path, label in found.items()}
    pairs = [(path, label) for path, label in found.items() if label is not None]
    lonely = [named[path] for path, label in found.items() if label is None]
    if lonely or free.left or not pairs:
        if left == right and not pairs and (lonely or free.left):
            raise InputError(
                f"{left}: the same folder was given twice, and no two files in it are a pair; give {words.both}"
            )
        raise InputError(_unpaired_message(left, right, lonely=lonely, free=list(free.left), words=words))
    return pairs


def describe_masks(labels: Sequence[Path]) -> str:
    """Say how folders of masks among the `labels` of pairs are understood; empty where all are files."""
    folders = [path for path in labels if not _is_single(path)]
    if not folders:
        return ""
    first = folders[0] / "masks" if (folders[0] / "masks").is_dir() else folders[0]
    return (
        f"{counted(len(folders), 'folder')} of masks, one mask per cell (as {first}): each is merged into one label map"
    )


def read_pair(
    image_path: str | Path, label_path: str | Path, *, axes: str | None = None, reader: LabelReader | None = None
) -> tuple[ImageSource, np.ndarray]:
    """Open an image and read its labels with the image's axes ([T,] [Z,] Y, X); shapes must agree."""
    image = open_image(image_path, axes=axes)
    labels = (reader or LabelReader()).read(Path(label_path))
    return image, fit_labels(labels, image=image, name=str(label_path))


def fit_labels(labels: np.ndarray, *, image: ImageSource, name: str) -> np.ndarray:
    """Return labels with the axes of their image ([T,] [Z,] Y, X); if shapes differ, the error begins with `name`."""
    letters = label_axes(image.axes.letters)
    shape = tuple(image.sizes[letter] for letter in letters)
    if _without_ones(labels.shape) != _without_ones(shape) or labels.shape[-2:] != shape[-2:]:
        read_as = letters if letters == image.axes.letters else f"{letters}, of an image {image.axes.letters}"
        raise InputError(
            f"{name}: labels of shape {labels.shape} do not fit {image.path or image.name}: "
            f"{shape} ({read_as}); give labels of the same size"
        )
    return labels.reshape(shape)


def output_names(inputs: Sequence[Path], *, folder: Path, suffix: str) -> dict[Path, Path]:
    """Name an output for each input: STEM + suffix, or longer where two would share one (also by case or accents).

    In order: stem, name with ending, folder and name, name and a hash of the whole path. No output is an input.
    """
    inputs = list(dict.fromkeys(Path(path) for path in inputs))
    level = dict.fromkeys(inputs, 0)
    taken = {_same_file_key(path) for path in inputs}
    while True:
        names = {path: folder / _fit(_NAMINGS[level[path]](path), path, suffix) for path in inputs}
        keys = {path: _same_file_key(name) for path, name in names.items()}
        counts = Counter(keys.values())
        clashing = [path for path in inputs if counts[keys[path]] > 1 or keys[path] in taken]
        if not clashing:
            return names
        for path in clashing:
            level[path] += 1
            if level[path] == len(_NAMINGS):
                raise InputError(
                    f"{path}: no name for its output in {folder} that is not taken; use another output folder"
                )


def stem_of(path: Path) -> str:
    """Return the name without its image endings: a.ome.tif -> a; plate.zarr/A/1/0 -> plate_A_1_0."""
    store, *inside = Path(name_inside(path)).parts
    if inside:
        return "_".join([stem_of(Path(store)), *inside])
    name = path.name
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if name.lower().endswith(ending) and len(name) > len(ending):
            name = name[: -len(ending)]
            break
    return name[:-4] if name.lower().endswith(".ome") and len(name) > 4 else name


def _digest(path: Path) -> str:
    return hashlib.sha256(os.path.abspath(path).encode("utf-8", "surrogateescape")).hexdigest()[:8]


_NAMINGS: tuple[Callable[[Path], str], ...] = (
    stem_of,
    lambda path: _name_of(path),
    lambda path: f"{path.absolute().parents[len(Path(name_inside(path)).parts) - 1].name}_{_name_of(path)}",
    lambda path: f"{_name_of(path)}-{_digest(path)}",
)


def _name_of(path: Path) -> str:
    """Return the name with its ending; of an image within a store, that of the store and where it lies in it."""
    return "_".join(Path(name_inside(path)).parts)


def _fit(stem: str, path: Path, suffix: str) -> str:
    """Shorten a stem that would make too long a name, keeping it unique."""
    room = _LONGEST_NAME - len(os.fsencode(suffix))
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[: room - 9].decode("utf-8", "ignore") + "-" + _digest(path)
    return stem + suffix


def _same_file_key(path: Path) -> str:
    """Key that is equal for names which some file system takes for one: case and accent composition do not count."""
    return unicodedata.normalize("NFC", os.path.abspath(path)).casefold()


def _is_single(path: Path) -> bool:
    if not path.exists():
        raise InputError(f"{path}: does not exist; check the name")
    return not path.is_dir() or path.suffix.lower() == ".zarr"


def _list_pictures(folder: Path) -> dict[Path, Path]:
    """Return the images in a folder, else those that lie beside masks (ID/images/*), with what to pair them by."""
    pictures = {path: path for path in list_images(folder)}
    for sample in [] if pictures else mask_folders(folder):
        inside = list_images(sample / "images") if (sample / "images").is_dir() else []
        if len(inside) > 1:
            raise InputError(f"{sample / 'images'}: holds {len(inside)} images for one folder of masks; keep one")
        pictures |= dict.fromkeys(inside, sample)
    return pictures


def _list_labels(folder: Path) -> dict[Path, Path]:
    """Return the label files in a folder, else its folders of masks."""
    return {path: path for path in list_images(folder) or mask_folders(folder)}


def _split(left: dict[Path, Path], right: dict[Path, Path]) -> tuple[dict[Path, Path], list[Path]]:
    """Leave to each side its own; files of one folder for both are told apart by the label suffix."""
    if left.keys() == right.keys():
        labels = [path for path in right if stem_of(path).endswith(LABEL_SUFFIXES[1:])]
        return {path: name for path, name in left.items() if path not in labels}, labels
    return left, list(right)


class _LabelIndex:
    """Label files that have no image yet, by name and by stem."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.left = dict.fromkeys(paths)
        self._by_name = {path.name: path for path in paths}
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            self._by_stem[stem_of(path)].append(path)

    def take(self, label: Path | None) -> Path | None:
        """Count a label file as used, and return it."""
        if label is not None:
            self.left.pop(label, None)
        return label

    def by_name(self, image: Path) -> Path | None:
        """Return the label file of equal name."""
        return self._by_name.get(image.name)

    def by_suffix(self, image: Path) -> Path | None:
        """Return the unused label file of equal stem, or of stem and suffix."""
        for suffix in LABEL_SUFFIXES:
            found = [path for path in self._by_stem.get(stem_of(image) + suffix, ()) if path in self.left]
            if len(found) > 1:
                names = ", ".join(path.name for path in found)
                raise InputError(f"{image}: has several label files ({names}); keep one")
            if found:
                return found[0]
        return None


def _unpaired_message(left: Path, right: Path, *, lonely: Sequence[Path], free: Sequence[Path], words: _Words) -> str:
    parts = [
        f"{counted(len(paths), noun)} {what} "
        f"({', '.join(path.name for path in paths[:5])}{', ...' if len(paths) > 5 else ''})"
        for paths, noun, what in (
            (lonely, words.left, words.without_right),
            (free, words.right, words.without_left),
        )
        if paths
    ]
    return f"{left} and {right}: {' and '.join(parts)}; pair them by equal names, or STEM_labels beside STEM"


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)
