"""Maps kept after a run, in bounded memory, and a stand-in for the network that gives them again."""

from __future__ import annotations

from collections.abc import Generator, Mapping

import numpy as np

from napari_unetseg.images.tiles import Tile, TilePlan
from napari_unetseg.schema.events import TileDone

Place = tuple[int, int | None]
"""T and Z of a frame; Z is none for a volume."""


class MapCache:
    """The maps of the first frames of a run, as many as fit `budget` bytes, in half precision.

    Half precision holds three digits: a pixel changes sides at a threshold only if it lay on it to that digit.
    """

    def __init__(self, *, budget: int) -> None:
        self.budget = budget
        self.is_complete = False
        """Whether every frame of the run is here."""
        self._frames: dict[Place, np.ndarray] = {}
        self._is_full = False

    def keep(self, place: Place, maps: np.ndarray) -> None:
        """Keep a copy of the maps (K, [Z,] Y, X) of one frame, unless that would exceed the budget."""
        self._is_full = self._is_full or self.bytes + 2 * maps.size > self.budget
        if not self._is_full:
            self._frames[place] = maps.astype(np.float16)

    @property
    def bytes(self) -> int:
        """Memory taken."""
        return sum(maps.nbytes for maps in self._frames.values())

    @property
    def frames(self) -> Mapping[Place, np.ndarray]:
        """What is kept, by place."""
        return self._frames

    def close(self, *, frames: int) -> None:
        """Say that the run had so many frames."""
        self.is_complete = len(self._frames) == frames


class Recalled:
    """Gives, in the place of a `Predictor`, the kept maps of one frame after the other; images are not looked at."""

    def __init__(self, cache: MapCache) -> None:
        self._maps = iter(cache.frames.values())

    def plan(self, shape: tuple[int, ...]) -> TilePlan:
        """Return a single tile."""
        whole = tuple(slice(0, length) for length in shape)
        return TilePlan(shape=shape, padded=shape, tiles=(Tile(read=whole, write=whole),), inside=whole)

    def predict(self, image: np.ndarray, *, plan: TilePlan, out: np.ndarray) -> Generator[TileDone, None, np.ndarray]:
        """Fill `out` with the next frame's maps."""
        assert image.shape[1:] == plan.shape == out.shape[1:]
        out[:] = next(self._maps)
        yield TileDone(done=1, total=1)
        return out


def budget_for(available: int) -> int:
    """Return the bytes to spend on kept maps: an eighth of what is free, at most 2 GiB."""
    return min(available // 8, 2 * 2**30)
