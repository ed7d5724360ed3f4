"""Where tiles, blocks and windows begin, and how much of the image around it they look at for what is wanted."""

from __future__ import annotations

from dataclasses import dataclass

from napari_unetseg.images import blend as blending
from napari_unetseg.images.blend import Blend


@dataclass(frozen=True, slots=True)
class Lattice:
    """What a network's tiles are bound to, one number per spatial axis.

    Exact tiles begin at any multiple of the divisor and read the halo around what they write. Blended tiles lie where
    `blend` says, so that a part of an image depends on those that touch it.
    """

    divisor: tuple[int, ...]
    """What all offsets are multiples of."""
    halo: tuple[int, ...]
    """How far beyond what is wanted is read, at most."""
    blend: Blend | None = None
    """None: tiles are exact."""

    @property
    def reach(self) -> tuple[int, ...]:
        """How far beyond a part its window goes at most."""
        if self.blend is not None:
            return (2 * self.blend.step,) * len(self.divisor)
        return tuple(-(-halo // step) * step for halo, step in zip(self.halo, self.divisor, strict=True))

    @property
    def grain(self) -> tuple[int, ...]:
        """The smallest parts that an image is worth being cut into."""
        return self.divisor if self.blend is None else (self.blend.overlap,) * len(self.divisor)

    def window(self, wanted: tuple[slice, ...], *, shape: tuple[int, ...]) -> tuple[slice, ...]:
        """Return the part of an image of `shape` that must be there to predict a part of it.

        Predicted by itself it gives there what the whole image gives.
        """
        return tuple(
            self.window_along(axis, side, length=length)
            for axis, (side, length) in enumerate(zip(wanted, shape, strict=True))
        )

    def window_along(self, axis: int, side: slice, *, length: int) -> slice:
        """Return the same of one axis."""
        if self.blend is not None:
            return blending.window(side, length=length, blend=self.blend)
        halo = self.reach[axis]
        return slice(max(0, side.start - halo), min(length, side.stop + halo))
