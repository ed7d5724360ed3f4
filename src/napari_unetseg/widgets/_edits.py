"""Whether a person has changed labels since a run wrote them: napari's undo history tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from napari.layers import Labels


class RunStep(tuple[Any, Any, Any]):
    """What a run has added to the undo history: index, labels before, labels after, as napari expects them."""

    __slots__ = ()


_made: WeakKeyDictionary[Labels, ref[np.ndarray]] = WeakKeyDictionary()


def note_made(layer: Labels) -> None:
    """Note that the array of the layer was made by a run."""
    _made[layer] = ref(layer.data)


def is_edited(layer: Labels, index: Sequence[slice]) -> bool:
    """Tell whether labels of the layer within `index` were painted, corrected or replaced, and that was not undone.

    A layer that no run has made (a copy, or one from a file) counts as edited.
    """
    made = _made.get(layer)
    if made is None or made() is not layer.data:
        return True
    steps = [atom for item in (*layer._undo_history, layer._staged_history) for atom in item]
    return any(_touches(atom, index) for atom in steps if not isinstance(atom, RunStep))


def _touches(atom: Any, index: Sequence[slice]) -> bool:
    """Tell whether a step of the history, of a brush or of `data_setitem`, lies in part within `index`."""
    changed = atom.slice_key if hasattr(atom, "slice_key") else atom[0]
    changed = changed if isinstance(changed, tuple) else (changed,)
    return all(_overlap(one, side) for one, side in zip(changed, index, strict=False))


def _overlap(changed: Any, side: slice) -> bool:
    if isinstance(changed, slice):
        start, stop = changed.start or 0, changed.stop
    else:
        where = np.asarray(changed)
        if where.dtype.kind not in "iu" or not where.size:
            return where.dtype.kind not in "iu"  # a mask may lie anywhere
        start, stop = int(where.min()), int(where.max()) + 1
    first, last = side.start or 0, side.stop
    return (last is None or start < last) and (stop is None or stop > first)
