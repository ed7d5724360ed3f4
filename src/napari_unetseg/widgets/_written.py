"""What runs have written into a layer of labels, to tell a person's corrections from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 64  # px; a correction is known to lie in a block of this edge
KEPT = 8  # states of a plane that are remembered, since napari's undo can bring back an earlier one
WEIGHTS = np.random.default_rng(0).integers(1, 2**63, (BLOCK, BLOCK), dtype=np.uint64)


class Written:
    """Sums over blocks of the planes as they were written; `canvas` is always all labels as (T, Z, Y, X)."""

    def __init__(self) -> None:
        self._states: dict[tuple[int, int], list[np.ndarray]] = {}

    def note(self, canvas: np.ndarray, box: tuple[slice, ...]) -> None:
        """Remember the planes of `box` (T, Z, Y, X) as they are."""
        for place in _planes(canvas, box):
            states = self._states.setdefault(place, [])
            states.append(_sums(canvas[place]))
            del states[:-KEPT]

    def is_corrected(self, canvas: np.ndarray, box: tuple[slice, ...]) -> bool:
        """Tell whether labels in or beside `box`, to 64 px, are none that were written; an empty block never is."""
        rows, columns = (slice(side.start // BLOCK, -(-side.stop // BLOCK)) for side in box[2:])
        for place in _planes(canvas, box):
            now = _sums(canvas[place])[rows, columns]
            is_known = now == 0
            for state in self._states.get(place, []):
                is_known |= now == state[rows, columns]
            if not is_known.all():
                return True
        return False


def _planes(canvas: np.ndarray, box: tuple[slice, ...]) -> Iterator[tuple[int, int]]:
    for t in range(*box[0].indices(canvas.shape[0])):
        for z in range(*box[1].indices(canvas.shape[1])):
            yield t, z


def _sums(plane: np.ndarray) -> np.ndarray:
    """Return for each block the sum of its labels, each times a weight of its place, modulo 2^64."""
    height, width = plane.shape
    weights = np.tile(WEIGHTS, (1, -(-width // BLOCK)))[:, :width]
    starts = np.arange(0, width, BLOCK)
    strips = [plane[top : top + BLOCK].astype(np.uint64) for top in range(0, height, BLOCK)]
    return np.stack([np.add.reduceat((strip * weights[: len(strip)]).sum(axis=0), starts) for strip in strips])
