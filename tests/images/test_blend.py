"""Blended tiles: weights sum to one, what is written stays, and a window has the tiles of the image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg.images.blend import Blend, add, overlap_of, plan, ramps
from napari_unetseg.images.lattice import Lattice
from napari_unetseg.images.tiles import Tile, TilePlan
from napari_unetseg.schema.errors import InputError


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], Blend]:
    """An image shape, the network's divisor, and tiles that fit it, in 1 to 3 dimensions."""
    axes = draw(st.integers(1, 3))
    largest = draw(st.sampled_from([1, 2, 4]))
    divisor = tuple(
        draw(st.lists(st.sampled_from([d for d in (1, 2, 4) if d <= largest]), min_size=axes, max_size=axes))
    )
    overlap = largest * draw(st.integers(1, 2))
    edge = 2 * overlap + largest * draw(st.integers(0, 3))
    shape = tuple(draw(st.lists(st.integers(1, 60 // axes), min_size=axes, max_size=axes)))
    return shape, divisor, Blend(edge, overlap)


def inside_of(shape: tuple[int, ...], divisor: tuple[int, ...], draw: st.DataObject) -> tuple[slice, ...]:
    """A part of the image whose sides lie on multiples of the divisor, or at the end."""
    sides = []
    for length, step in zip(shape, divisor, strict=True):
        start = draw.draw(st.sampled_from(range(0, length, step)))
        sides.append(slice(start, draw.draw(st.sampled_from([*range(start + step, length, step), length]))))
    return tuple(sides)


def blended(layout: TilePlan, values: np.ndarray) -> np.ndarray:
    """What comes out where tiles give the `values` (K, ...padded)."""
    out = np.zeros((len(values), *layout.written), np.float32)
    for tile in layout.tiles:
        add(values[(slice(None), *tile.gives)], tile=tile, plan=layout, out=out)
    return out


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_the_weights_sum_to_one(layout) -> None:
    shape, divisor, blend = layout
    found = plan(shape, blend=blend, divisor=divisor)
    ones = np.ones((1, *found.padded), np.float32)
    np.testing.assert_allclose(blended(found, ones), 1, atol=3e-7)
    assert found.padded == tuple(-(-n // d) * d for n, d in zip(shape, divisor, strict=True))


@pytest.mark.parametrize("overlap", [1, 3, 8, 56, 64])
def test_along_a_line_they_sum_to_one_to_the_last_digit(overlap) -> None:
    first, second = (ramps(slice(at, at + 3 * overlap), end=9 * overlap, overlap=overlap) for at in (0, 2 * overlap))
    np.testing.assert_array_equal(first[: 2 * overlap], 1)
    np.testing.assert_array_equal(first[2 * overlap :] + second[:overlap], 1)
    assert (np.diff(second[: overlap + 1]) > 0).all()


@settings(max_examples=60, deadline=None)
@given(layouts(), st.data())
def test_writes_cover_the_part_once_and_no_later_tile_changes_them(layout, data) -> None:
    shape, divisor, blend = layout
    inside = inside_of(shape, divisor, data)
    found = plan(shape, blend=blend, divisor=divisor, inside=inside)
    count = np.zeros(found.written, int)
    out = np.zeros((1, *found.written), np.float32)
    values = np.random.default_rng(0).random((1, *found.padded), np.float32)
    kept = np.full(found.written, np.nan, np.float32)
    for tile in found.tiles:
        add(values[(slice(None), *tile.gives)], tile=tile, plan=found, out=out)
        count[found.target(tile)] += 1
        kept[found.target(tile)] = out[0][found.target(tile)]
        assert all(r.start % d == 0 and r.stop % d == 0 for r, d in zip(tile.read, divisor, strict=True))
        assert all(r.start <= g.start and r.stop == g.stop for r, g in zip(tile.read, tile.gives, strict=True))
        assert all(r.stop - r.start <= blend.edge for r in tile.read)
    assert (count == 1).all()
    np.testing.assert_array_equal(kept, out[0])


@settings(max_examples=100, deadline=None)
@given(layouts(), st.data())
def test_a_window_has_the_tiles_of_the_image(layout, data) -> None:
    """What every tile reads, and what is added where, is the same in the window as in all of the image."""
    shape, divisor, blend = layout
    inside = inside_of(shape, divisor, data)
    lattice = Lattice(divisor, divisor, blend)
    window = lattice.window(inside, shape=shape)
    start = tuple(side.start for side in window)
    edges = tuple(side.stop - side.start for side in window)
    for side, wide, reach in zip(inside, window, lattice.reach, strict=True):
        assert side.start - reach <= wide.start <= side.start
        assert side.stop <= wide.stop <= side.stop + reach
        assert wide.start % blend.step == 0
    whole = plan(shape, blend=blend, divisor=divisor, inside=inside)
    part = plan(edges, blend=blend, divisor=divisor, inside=_moved(inside, start, sign=-1))
    assert [_moved(tile.read, start) for tile in part.tiles] == [tile.read for tile in whole.tiles]
    assert [_moved(tile.write, start) for tile in part.tiles] == [tile.write for tile in whole.tiles]
    rng = np.random.default_rng(0)
    sums = [np.zeros((1, *whole.written), np.float32) for _ in range(3)]
    everything = plan(shape, blend=blend, divisor=divisor)
    alone = np.zeros((1, *everything.written), np.float32)
    given = {str(tile.read): rng.random((1, *_edges(tile)), np.float32) for tile in everything.tiles}
    for tile in everything.tiles:
        add(given[str(tile.read)], tile=tile, plan=everything, out=alone)
    for inner, outer in zip(part.tiles, whole.tiles, strict=True):
        add(given[str(outer.read)], tile=inner, plan=part, out=sums[0])
        add(given[str(outer.read)], tile=outer, plan=whole, out=sums[1])
    np.testing.assert_array_equal(sums[0], sums[1])
    np.testing.assert_array_equal(sums[1], alone[(slice(None), *inside)])


def _moved(region: tuple[slice, ...], by: tuple[int, ...], *, sign: int = 1) -> tuple[slice, ...]:
    return tuple(slice(side.start + sign * at, side.stop + sign * at) for side, at in zip(region, by, strict=True))


def _edges(tile: Tile) -> tuple[int, ...]:
    return tuple(side.stop - side.start for side in tile.gives)


def test_tiles_worked_out_by_hand() -> None:
    """Tiles of 8 that overlap by 2, on 23 pixels: they begin at 0, 6, 12 and 18; the last reads from 16."""
    found = plan((23,), blend=Blend(8, 2), divisor=(2,))
    assert [(tile.read, tile.write, tile.spread) for tile in found.tiles] == [
        ((slice(0, 8),), (slice(0, 6),), (slice(0, 8),)),
        ((slice(6, 14),), (slice(6, 12),), (slice(6, 14),)),
        ((slice(12, 20),), (slice(12, 18),), (slice(12, 20),)),
        ((slice(16, 24),), (slice(18, 24),), (slice(18, 24),)),
    ]
    assert found.tiles[3].halos == ((2, 0),)
    assert ramps(slice(6, 14), end=24, overlap=2).tolist() == [0.25, 0.75, 1, 1, 1, 1, 0.75, 0.25]
    long = plan((25,), blend=Blend(8, 2), divisor=(1,)).tiles  # the last is longer than a step: it reads what it gives
    assert [tile.read for tile in long][-1] == long[-1].spread == (slice(18, 25),)
    assert len(plan((26,), blend=Blend(8, 2), divisor=(1,)).tiles) == 4
    assert len(plan((27,), blend=Blend(8, 2), divisor=(1,)).tiles) == 5


@pytest.mark.parametrize("shape", [(8, 8), (1, 7), (3, 8, 5)])
def test_an_image_no_larger_than_a_tile_is_one(shape) -> None:
    found = plan(shape, blend=Blend(8, 4), divisor=(4,) * len(shape))
    assert len(found.tiles) == 1
    values = np.random.default_rng(0).normal(size=(2, *found.padded)).astype(np.float32)
    expected = values[(slice(None), *(slice(0, length) for length in shape))]
    np.testing.assert_array_equal(blended(found, values), expected)
    assert math.prod(found.written) == math.prod(shape)


def test_tiles_that_overlap_by_more_than_half_are_refused() -> None:
    with pytest.raises(InputError, match="blended over 5 px must have twice that at least, got 8; use 10"):
        Blend(8, 5)
    with pytest.raises(InputError, match="twice that"):
        Blend(8, 0)
    with pytest.raises(InputError, match="multiples of"):
        plan((32,), blend=Blend(8, 4), divisor=(4,), inside=(slice(2, 32),))


def test_overlaps_are_multiples() -> None:
    assert [overlap_of(edge, multiple=32, share=1 / 8) for edge in (64, 256, 288, 512)] == [32, 32, 64, 64]
