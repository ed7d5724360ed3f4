"""Label arrays in .npz archives: found by name, and never larger in memory than the archive says."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from napari_unetseg.images.budget import byte_count, check_allocation
from napari_unetseg.images.label_ids import to_ids
from napari_unetseg.schema.errors import InputError

_NAMES = ("labels", "masks", "label", "mask")
_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError, SyntaxError)


def read_npz(path: Path) -> np.ndarray:
    """Return the ids in the only array of an archive, or in that named labels, masks, label or mask."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            name = next(iter(entries)) if len(entries) == 1 else next((key for key in _NAMES if key in entries), None)
            if name is None:
                raise InputError(
                    f"{path}: holds the arrays {', '.join(list(entries)[:5]) or '(none)'}; name that of the labels "
                    "'labels', or save it alone"
                )
            _check_header(archive, entries[name], path=path)
            with archive.open(entries[name]) as file:
                array = npy.read_array(file, allow_pickle=False)
    except _ERRORS as error:
        raise InputError(f"{path}: cannot be read as .npz ({error}); save it again with numpy.savez") from error
    return to_ids(array, name=str(path))


def _check_header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, path: Path) -> None:
    """Refuse, before anything is allocated, an array larger than its archive says or memory holds."""
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, _, dtype = read_header(file)
    if dtype.kind not in "buif":
        raise InputError(f"{path}: the array '{entry.filename}' is of type '{dtype}'; labels are whole numbers")
    if byte_count(shape, dtype) > entry.file_size:
        raise InputError(f"{path}: '{entry.filename}' ends before its {tuple(shape)} numbers do; save it again")
    check_allocation(shape, np.dtype(np.uint64), what=str(path))
