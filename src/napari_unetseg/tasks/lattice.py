"""Where the tiles of a network lie: exact ones anywhere on its grid, others on a lattice over which they are blended.

The lattice is given by the edge of the tiles alone: neither memory nor blocks nor the device move it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from napari_unetseg.images.blend import Blend, overlap_of
from napari_unetseg.images.budget import readable
from napari_unetseg.images.lattice import Lattice
from napari_unetseg.images.tiles import check_tile
from napari_unetseg.networks.network import Network
from napari_unetseg.schema.config import LEAST_TILE, TilingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.schema.words import percent
from napari_unetseg.tasks import device as devices

EDGE_3D = 128
"""Of a blended tile of a volume, unless told otherwise, in px; `Network.tile_edge` of planes."""
OVERLAP = 1 / 8
"""Of the edge of a tile (`benchmarks/seams.py`)."""
TRIED = 8
"""Parts of an edge that is too large: the tile that is advised has the most of them that fit."""


def lattice_of(network: Network, *, tile: int | None = None) -> Lattice:
    """Return where the tiles of a network lie; `tile` is the edge that a person has set.

    Raises `InputError` where the network cannot have such tiles.
    """
    if network.is_tile_exact:
        check_tile(tile, divisor=network.divisor)
        return Lattice(network.divisor, network.halo)
    return Lattice(network.divisor, network.halo, blend_of(network, tile=tile))


def blend_of(network: Network, *, tile: int | None = None) -> Blend:
    """Return edge and overlap of tiles that are blended."""
    multiple = max(network.divisor)
    usual = network.tile_edge if network.config.ndim == 2 else EDGE_3D
    edge = tile or -(-max(usual, 4 * multiple) // multiple) * multiple
    check_tile(edge, divisor=(multiple,))
    overlap = overlap_of(edge, multiple=multiple, share=OVERLAP)
    if edge < 2 * overlap:
        raise InputError(
            f"the tiles of the network '{network.config.architecture}' are blended over {overlap} px and need twice "
            f"that, got {edge}; use {2 * multiple}"
        )
    return Blend(edge, overlap)


def tile_bytes(network: Network, *, tiling: TilingConfig, tile: int | None, shape: tuple[int, ...]) -> int:
    """Return what the network takes of the computer's memory for a blended tile of an image.

    0 where tiles are exact, as these are cut to fit, and on a graphics card.
    """
    device = devices.choose_device(tiling.device)
    if network.is_tile_exact or device.type != "cpu":
        return 0
    edge = blend_of(network, tile=tile).edge
    pixels = math.prod(min(edge, -(-n // d) * d) for n, d in zip(shape, network.divisor, strict=True))
    dtype = devices.choose_dtype(tiling.precision, device=device)
    return math.ceil(pixels * tiling.batch * network.maps_per_pixel * dtype.itemsize)


def check_fits(network: Network, *, tiling: TilingConfig, shape: tuple[int, ...], free: int, name: str) -> None:
    """Refuse a blended tile that takes more than what is free."""

    def attempt(tile: int | None) -> None:
        if tile_bytes(network, tiling=tiling, tile=tile, shape=shape) > free:
            raise InputError("too large")

    try:
        attempt(tiling.tile)
    except InputError as error:
        limit = f"the {readable(free)} of memory that are free"
        raise too_large(network, tiling=tiling, limit=limit, name=name, attempt=attempt) from error


def too_large(
    network: Network, *, tiling: TilingConfig, limit: str, name: str, attempt: Callable[[int], object]
) -> InputError:
    """Return what to say where there is no memory for a blended tile and its surroundings, with a tile that fits.

    `attempt` raises `InputError` for an edge that is too large; those that can be had are tried, from large to small.
    """
    multiple, edge = max(network.divisor), blend_of(network, tile=tiling.tile).edge
    what = f"{name}: a tile of {edge} px in the network '{network.config.architecture}', with what is around it, needs"
    remedy = "give more memory, or take another network"
    for part in range(TRIED - 1, 0, -1):
        candidate = edge * part // TRIED // multiple * multiple
        if candidate < LEAST_TILE:
            break
        try:
            attempt(candidate)
        except InputError:
            continue
        remedy = f"give --tile {candidate}, which changes the result a little, or more memory"
        break
    return InputError(f"{what} more than {limit}; {remedy}")


def seams(network: Network, lattice: Lattice, *, shape: tuple[int, ...]) -> str:
    """Say that an image of `shape` is seen in blended tiles, and what that changes; empty where it is not."""
    if lattice.blend is None or lattice.blend.is_one_tile(shape):
        return ""
    known = network.seam_error
    measured = "" if known is None else f"; in a test that gave {percent(known)} of the pixels another class"
    return (
        f"the network '{network.config.architecture}' would see all of the image at once, but gets tiles of "
        f"{lattice.blend.edge} px that are blended{measured}"
    )
