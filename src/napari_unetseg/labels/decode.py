"""Turn the maps a network gives into labels: objects by threshold, seeds and watershed, or the most probable class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_unetseg.labels.classes import most_probable
from napari_unetseg.labels.clean import fill_holes, raster_order
from napari_unetseg.labels.confidence import mean_foreground
from napari_unetseg.labels.flood import DEEP, flood
from napari_unetseg.labels.ids import OpenSides, ids_at
from napari_unetseg.schema.config import TargetConfig, TargetKind
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError, JobError


def decode(
    probability: NDArray[Any], *, config: DecodingConfig, target: TargetConfig, open_sides: OpenSides = ()
) -> NDArray[np.uint32]:
    """Return objects 1..n in raster order from maps (K, [Z,] Y, X): class probabilities, then the distance if any.

    Foreground is where the background is improbable. A face-connected piece of it with no or one seed is one object;
    a piece with more is flooded from its seeds. Each piece is decoded by itself, so an object depends on the
    pixels of its piece and on nothing else. Where the maps are cut out of larger ones (`open_sides`), objects on the
    cut are not dropped: how large they are is not known yet.

    Of target 'semantic' it is the class ids instead, each pixel by itself; `config` and `open_sides` mean nothing then.
    """
    _check(probability, target=target)
    if target.is_semantic:
        return most_probable(probability)
    foreground = 1 - probability[0] > config.threshold
    score = seed_score(probability, kind=target.kind)
    pieces, count = _label(foreground)
    seeds, seed_count = _label(foreground & (score > config.seed_threshold))
    where = np.flatnonzero(foreground)  # most pixels are background, and are not looked at again
    piece, seed = pieces.ravel()[where], seeds.ravel()[where]
    is_cut = _is_cut(pieces, open_sides, count=count)
    del pieces, seeds  # in a sheet of cells every array counts
    seed, piece_of_seed = _drop_small_seeds(seed, piece, seed_count, is_cut=is_cut, min_seed=config.min_seed)
    owner, is_shared = _owners(piece_of_seed, piece_count=count)
    ids, is_flooded = owner[piece], is_shared[piece]
    del piece
    if is_flooded.any():
        level = _levels(score.ravel()[where[is_flooded]])
        ids[is_flooded] = flood(where[is_flooded], level=level, seed=seed[is_flooded], shape=foreground.shape)
    is_kept = _is_kept(ids, probability[0].ravel()[where], count=count + len(piece_of_seed), config=config)
    is_kept[_ids_at(where, ids, open_sides, shape=foreground.shape)] = True
    labels = np.zeros(foreground.shape, np.uint32)
    labels.ravel()[where] = raster_order(ids, is_kept=is_kept)[ids]
    return fill_holes(labels) if config.fill_holes else labels


def seed_score(probability: NDArray[Any], *, kind: TargetKind) -> NDArray[np.float32]:
    """Return in [0, 1] how surely a pixel lies inside one object, away from others.

    'boundary': the interior probability, low wherever boundary or background are likely. 'distance': the distance.
    'both': their mean, so that a gap in the boundary must be confirmed by the distance before it joins two objects.
    """
    match kind:
        case "boundary":
            score = probability[1]
        case "distance":
            score = probability[2]
        case "both":
            score = np.add(probability[1], probability[3])
            score /= 2
        case "semantic":
            raise InputError("classes have no seeds; take a target of objects")
    return np.asarray(score, dtype=np.float32)


def _check(probability: NDArray[Any], *, target: TargetConfig) -> None:
    if probability.ndim not in (3, 4) or len(probability) != target.out_channels:
        raise InputError(
            f"maps of shape {probability.shape} do not fit target '{target.kind}'; "
            f"pass {target.out_channels} maps as (K, Y, X) or (K, Z, Y, X)"
        )
    if not np.isfinite(probability).all():
        raise JobError(
            "the network gave values that are not finite (NaN or infinite); "
            "predict with precision float32, and check the image and the model"
        )


def _label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the face-connected components of a mask, numbered in raster order, and their count."""
    components = np.zeros(mask.shape, dtype=np.int32)
    return components, int(ndimage.label(mask, output=components))


def _drop_small_seeds(
    seed: NDArray[np.int32], piece: NDArray[np.int32], seed_count: int, *, is_cut: NDArray[np.bool_], min_seed: int
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Drop seeds of fewer than `min_seed` pixels but for the largest of each piece: specks must split no object.

    Of a piece that is cut it is not known which is the largest: none is spared. `seed` and `piece` are given for each
    pixel of the foreground. Return the seeds, and for each the piece it lies in.
    """
    inside = np.flatnonzero(seed)
    seed_of_pixel = seed[inside]
    piece_of_seed = np.zeros(seed_count + 1, dtype=np.intp)
    piece_of_seed[seed_of_pixel] = piece[inside]
    size = np.bincount(seed_of_pixel, minlength=seed_count + 1)
    largest = np.zeros(len(is_cut), dtype=np.intp)
    np.maximum.at(largest, piece_of_seed[1:], size[1:])
    is_kept = (size >= min_seed) | ((size == largest[piece_of_seed]) & ~is_cut[piece_of_seed])
    is_kept[0] = True
    if is_kept.all():
        return seed, piece_of_seed
    table = np.where(is_kept, np.cumsum(is_kept) - 1, 0).astype(np.int32)
    return table[seed], piece_of_seed[is_kept]


def _is_cut(pieces: NDArray[np.int32], open_sides: OpenSides, *, count: int) -> NDArray[np.bool_]:
    """Tell for each piece whether it goes on beyond the maps."""
    is_cut = np.zeros(count + 1, dtype=bool)
    is_cut[ids_at(pieces, open_sides)] = True
    return is_cut


def _owners(piece_of_seed: NDArray[np.intp], *, piece_count: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return for each piece the seed it belongs to, and whether it has more than one, of which that is the last.

    A piece without a seed gets a number after the last seed.
    """
    seed_count = len(piece_of_seed) - 1
    owner = np.arange(seed_count, seed_count + piece_count + 1, dtype=np.int32)
    owner[0] = 0
    owner[piece_of_seed[1:]] = np.arange(1, seed_count + 1, dtype=np.int32)
    return owner, np.bincount(piece_of_seed[1:], minlength=piece_count + 1) > 1


def _levels(score: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return what is flooded: low where the score is high, so that two fronts meet where it is lowest."""
    levels: NDArray[np.uint16] = np.rint(DEEP * (1 - np.clip(score, 0, 1))).astype(np.uint16)
    return levels


def _is_kept(
    ids: NDArray[np.int32], background: NDArray[Any], *, count: int, config: DecodingConfig
) -> NDArray[np.bool_]:
    """Tell for each of `count` ids whether its object is large and sure enough, from its pixels."""
    is_kept: NDArray[np.bool_] = np.bincount(ids, minlength=count) >= config.min_size
    if config.min_confidence:
        is_kept &= mean_foreground(ids, background, count=count) >= config.min_confidence
    return is_kept


def _ids_at(
    where: NDArray[np.intp], ids: NDArray[np.int32], sides: OpenSides, *, shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """Return the ids of the objects that touch one of the open sides."""
    if not any(map(any, sides)):
        return np.zeros(0, np.int32)
    raster = np.zeros(shape, np.int32)
    raster.ravel()[where] = ids
    return ids_at(raster, sides)
