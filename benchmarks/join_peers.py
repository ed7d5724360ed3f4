"""How other packages bring the labels of blocks together, each with the same network, decoding and block size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import numpy as np
from peers import peer

from napari_unetseg.labels.overlap import count_overlaps

BLOCK = 1024
SHARE = 0.1
"""Of an object's pixels, from which one that overlaps it counts as a part of it."""
Segment = Callable[[np.ndarray], np.ndarray]
"""From an image (Y, X) to its labels."""


def joined(image: np.ndarray, segment: Segment, *, margin: int, context: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what each package that is installed makes of blocks of an image: (Y, X) -> labels.

    `margin` is how far beyond its core a block sees, `context` how far the network sees.
    """
    yield "each block by itself", _by_itself(image, segment)
    if (stardist := peer("stardist.big")) is not None:
        try:
            yield "StarDist `BlockND`", _stardist(stardist, image, segment, overlap=margin, context=context)
        except RuntimeError as error:  # an object is longer than the overlap
            print(f"StarDist refuses: {error}")
    if (cellpose := peer("cellpose.contrib.distributed_segmentation", needs_torchvision=True)) is not None:
        yield "cellpose `distributed_segmentation`", _cellpose(cellpose, image, segment, overlap=margin)


def changes(labels: np.ndarray, reference: np.ndarray) -> dict[str, int]:
    """Count the objects of `reference`, and those that are changed in `labels`, and how."""
    pairs = count_overlaps(reference, labels)
    counts = pairs.shared >= SHARE * pairs.first_area[pairs.first]
    parts = np.bincount(pairs.first[counts], minlength=len(pairs.first_ids))[1:]
    swallowed = pairs.shared >= pairs.first_area[pairs.first] / 2
    holds = np.bincount(pairs.second[swallowed], minlength=len(pairs.second_ids))[1:]
    identical = int(np.count_nonzero(pairs.iou == 1))
    return {
        "objects": len(pairs.first_ids) - 1,
        "differ": len(pairs.first_ids) + len(pairs.second_ids) - 2 - 2 * identical,
        "cut": int(np.count_nonzero(parts > 1)),
        "merged": int(holds[holds > 1].sum()),
        "missing": int(np.count_nonzero(parts == 0)),
        "too many": max(0, len(pairs.second_ids) - len(pairs.first_ids)),
    }


def _by_itself(image: np.ndarray, segment: Segment) -> np.ndarray:
    """Label each block without looking beyond it."""
    labels = np.zeros(image.shape, np.uint32)
    for y, x in product(*(range(0, length, BLOCK) for length in image.shape)):
        where = (slice(y, y + BLOCK), slice(x, x + BLOCK))
        found = segment(image[where])
        labels[where] = np.where(found > 0, found + labels.max(), 0)
    return labels


def _stardist(module: SimpleNamespace, image: np.ndarray, segment: Segment, *, overlap: int, context: int) -> Any:
    """Of two blocks that see an object, the one that is responsible for its place keeps it."""
    labels, count = np.zeros(image.shape, np.uint32), 0
    size = min(BLOCK + overlap + 2 * context, *image.shape)
    for block in module.BlockND.cover(image.shape, "YX", size, overlap, context, 16):
        found = segment(block.read(image, axes="YX"))
        found = block.crop_context(found, axes="YX").astype(np.int32)
        found = block.filter_objects(found, polys=None, axes="YX")
        found[found > 0] += count
        count = max(count, int(found.max()))
        block.write(labels, found.astype(np.uint32), axes="YX")
    return labels


def _cellpose(module: SimpleNamespace, image: np.ndarray, segment: Segment, *, overlap: int) -> np.ndarray:
    """Blocks that overlap are cropped, then objects that touch across a border become one."""
    size = (BLOCK, BLOCK)
    places, crops = module.get_block_crops(image.shape, size, overlap, None)
    labels, faces, used = np.zeros(image.shape, np.uint32), [], []
    for place, crop in zip(places, crops, strict=True):
        found, inner = module.remove_overlaps(segment(image[tuple(crop)]), crop, overlap, size)
        found, remap = module.global_segment_ids(found, place, module.get_nblocks(image.shape, size))
        labels[tuple(inner)] = found
        faces.append(module.block_faces(found))
        used += [one for one in remap if one]
    table = module.determine_merge_relabeling([tuple(place) for place in places], faces, np.array(used))
    return table[labels].astype(np.uint32)
