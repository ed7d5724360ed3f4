"""Zarr arrays and OME-Zarr images (v2 and v3) as lazy sources; paths inside a store may not leave it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from napari_unetseg.images.axes import LETTERS
from napari_unetseg.images.budget import check_allocation, check_total
from napari_unetseg.images.source import ImageSource, Region, axes_of, check_dtype
from napari_unetseg.images.tiff_metadata import in_micrometres
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import counted

MARKERS = ("zarr.json", ".zgroup", ".zarray")
ZARR_FAULTS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    RuntimeError,
    OSError,
    NotImplementedError,
    MemoryError,
)
_MOST_LISTED = 20_000


@dataclass(frozen=True, slots=True)
class _Level:
    """Where the finest level lies in the store, and what is said of its axes."""

    path: str
    axes: str | None = None
    scale: dict[str, float] = field(default_factory=dict)


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr store, by its content."""
    return path.is_dir() and any((path / marker).is_file() for marker in MARKERS)


def name_inside(path: Path) -> str:
    """Return the name of an image; of one within a store, from that on: "plate.zarr/A/1/0"."""
    parents = [parent for parent in path.parents if parent.suffix.lower() == ".zarr" or is_zarr(parent)]
    return str(path.relative_to(parents[-1].parent)) if parents else path.name


def ome_attributes(group: zarr.Group) -> dict[str, Any]:
    """Return the attributes of a group, those of OME-NGFF 0.5 (under "ome") as those of 0.4."""
    attributes: dict[str, Any] = dict(group.attrs)
    return {**attributes, **dict(attributes.get("ome") or {})}


def open_zarr(path: Path, *, axes: str | None = None) -> ImageSource:
    """Open a zarr array, or the finest level of an OME-Zarr image, without reading its pixels."""
    try:
        store = LocalStore(path, read_only=True)
        node = zarr.open(store=store, mode="r")
        level = _find_level(node, path=path)
        array = node if isinstance(node, zarr.Array) else zarr.open_array(store=store, path=level.path, mode="r")
        _check_codecs(array, path=path)
        shape, dtype = tuple(array.shape), np.dtype(array.dtype)
        chunks = tuple(array.chunks)
    except ZARR_FAULTS as error:
        raise InputError(
            f"{path}: cannot be read as zarr ({error or type(error).__name__}); is the store complete?"
        ) from error
    check_dtype(dtype, name=str(path))
    check_total(shape, dtype, what=str(path))
    check_allocation(chunks, dtype, what=f"a chunk of {path}")
    resolved = axes_of(shape, declared=level.axes, requested=axes, dtype=dtype, name=str(path))
    notes = [f"{path.name}: {resolved.note}"] if resolved.note else []
    missing = _missing_chunks(array)
    if missing:
        notes.append(
            f"{path.name}: {missing} of {counted(array.nchunks, 'chunk')} not stored, read as {array.fill_value}"
        )
    kept = {axis: size for axis, size in level.scale.items() if axis in resolved.letters}
    reader = ZarrReader(array, name=str(path))
    return ImageSource(name_inside(path), path, resolved, shape, dtype.newbyteorder("="), kept, reader, tuple(notes))


class ZarrReader:
    """Regions of a zarr array; a chunk that cannot be decoded is named."""

    def __init__(self, array: Any, *, name: str) -> None:
        self._array, self._name = array, name

    def __call__(self, index: Region) -> np.ndarray:
        try:
            return np.asarray(self._array[index])  # zarr gives memory of its own
        except ZARR_FAULTS as error:
            chunk = self._first_bad_chunk(index)
            raise InputError(
                f"{self._name}: chunk {chunk} cannot be read ({error}); the store is damaged, copy it again"
            ) from error

    def _first_bad_chunk(self, index: Region) -> str:
        chunks = self._array.chunks
        ranges = [range(span.start // edge, -(-span.stop // edge)) for span, edge in zip(index, chunks, strict=True)]
        for position in np.ndindex(*map(len, ranges)):
            here = [span[step] for span, step in zip(ranges, position, strict=True)]
            try:
                self._array[tuple(slice(at * edge, (at + 1) * edge) for at, edge in zip(here, chunks, strict=True))]
            except ZARR_FAULTS:
                return "/".join(map(str, here))
        return "(unknown)"


def _find_level(node: Any, *, path: Path, inside: str = "") -> _Level:
    if isinstance(node, zarr.Array):
        return _Level(inside, axes=_array_axes(node))
    attributes = ome_attributes(node)
    multiscales = attributes.get("multiscales")
    if multiscales:
        return _read_multiscale(multiscales[0], path=path, inside=inside)
    if "plate" in attributes:
        raise InputError(
            f"{path}: this is a plate of many images, and none of its fields is there; choose one, such as {path}/A/1/0"
        )
    if "bioformats2raw.layout" in attributes and not inside:
        return _find_level(node["0"], path=path, inside="0/")  # the first image of a converted file
    names = sorted(name for name, _ in node.arrays())
    if len(names) == 1:
        return _Level(inside + names[0], axes=_array_axes(node[names[0]]))
    listed = ", ".join(names[:5]) or "none"
    raise InputError(f"{path}: a zarr group with {len(names)} arrays and no OME metadata; open one of them: {listed}")


def _check_codecs(array: Any, *, path: Path) -> None:
    """Refuse the one codec that runs code from the file when a chunk is read."""
    metadata = array.metadata.to_dict()
    codecs = [metadata.get(key) for key in ("filters", "compressor", "codecs")]
    if "pickle" in repr(codecs).lower():
        raise InputError(f"{path}: its chunks are pickles, which can run code; refused, convert it where you trust it")


def _array_axes(array: Any) -> str | None:
    """Return the letters of named dimensions (zarr v3, or xarray's attribute), if each is one known letter."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS")
    return letters_of(names, ndim=array.ndim)


def letters_of(names: Any, *, ndim: int) -> str | None:
    """Return axis letters for dimension names such as ("t", "channel", "y", "x"); none if one is not understood."""
    words = {"TIME": "T", "CHANNEL": "C", "CHANNELS": "C", "BAND": "C", "SAMPLE": "S", "RGB": "S"}
    if not names or len(names) != ndim:
        return None
    letters = "".join(words.get(str(name).upper(), str(name).upper()) for name in names)
    return letters if len(letters) == ndim and all(letter in LETTERS for letter in letters) else None


def _read_multiscale(multiscale: dict[str, Any], *, path: Path, inside: str) -> _Level:
    dataset = multiscale["datasets"][0]
    found = inside + check_inside(str(dataset["path"]), root=path / inside)
    axes = multiscale.get("axes")
    if axes is None:
        return _Level(found, axes=None)
    named = [{"name": one} if isinstance(one, str) else dict(one) for one in axes]
    letters = letters_of([one.get("name", "") for one in named], ndim=len(named))
    factors = np.ones(len(named))
    for transform in [
        *(dataset.get("coordinateTransformations") or []),
        *(multiscale.get("coordinateTransformations") or []),
    ]:
        if transform.get("type") == "scale" and len(transform.get("scale", ())) == len(named):
            factors = factors * np.asarray(transform["scale"], dtype=float)
    scale = {}
    for letter, axis, factor in zip(letters or "", named, factors, strict=bool(letters)):
        size = in_micrometres(factor, axis.get("unit")) if letter in "ZYX" else None
        if size is not None:
            scale[letter] = size
    return _Level(found, axes=letters, scale=scale)


def check_inside(name: str, *, root: Path) -> str:
    """Refuse dataset paths that leave the store: '..', absolute paths, URLs, links to elsewhere."""
    is_foreign = "://" in name or "\\" in name or ":" in name or name.startswith(("/", "~"))
    if is_foreign or ".." in PurePosixPath(name).parts or not (root / name).resolve().is_relative_to(root.resolve()):
        raise InputError(f"{root}: its metadata point outside the store ({name!r}); refused, do not trust this file")
    return name


def _missing_chunks(array: Any) -> int:
    """Count chunks without a file, where that is cheap; a chunk of fill values only need not have one."""
    if array.nchunks > _MOST_LISTED:
        return 0
    try:
        total = int(getattr(array, "nshards", array.nchunks))
        return max(total - int(array.nchunks_initialized), 0) if total == array.nchunks else 0
    except ZARR_FAULTS:
        return 0
