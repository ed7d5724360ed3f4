"""Tiles: writes partition the padded image, reads hold their halo, mirroring is numpy's."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg.images.tiles import TilePlan, check_tile, choose_tile, plan, read_mirrored
from napari_unetseg.schema.errors import InputError


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """An image shape and valid arguments of `plan`, in 1 to 3 dimensions."""
    axes = draw(st.integers(1, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    divisor = numbers(1, 5)
    tile = tuple(d * n for d, n in zip(divisor, numbers(1, 4), strict=True))
    return numbers(1, 15), {"tile": tile, "halo": numbers(0, 7), "divisor": divisor}


def _round_up(value: int, divisor: int) -> int:
    return (value + divisor - 1) // divisor * divisor


@settings(max_examples=40, deadline=None)
@given(layouts())
def test_writes_partition_the_padded_image_and_reads_hold_the_halo(layout) -> None:
    shape, arguments = layout
    result = plan(shape, **arguments)
    written = np.zeros(result.padded, int)
    for tile in result.tiles:
        written[tile.write] += 1
        for axis, (read, write) in enumerate(zip(tile.read, tile.write, strict=True)):
            divisor = arguments["divisor"][axis]
            halo = _round_up(arguments["halo"][axis], divisor)
            assert read.start == max(write.start - halo, 0)
            assert read.stop == min(write.stop + halo, result.padded[axis])
            assert all(n % divisor == 0 for n in (read.start, read.stop, write.start, write.stop))
            assert 0 < write.stop - write.start <= arguments["tile"][axis]
            assert tile.halos[axis] == (write.start - read.start, read.stop - write.stop)
    assert (written == 1).all()


@settings(max_examples=40, deadline=None)
@given(layouts())
def test_the_padded_image_holds_the_image_and_no_more_than_needed(layout) -> None:
    shape, arguments = layout
    result = plan(shape, **arguments)
    assert result.padded == tuple(_round_up(n, d) for n, d in zip(shape, arguments["divisor"], strict=True))


@settings(max_examples=40, deadline=None)
@given(layouts())
def test_read_mirrored_is_numpy_reflect_for_every_tile(layout) -> None:
    shape, arguments = layout
    result = plan(shape, **arguments)
    image = np.arange(2 * np.prod(shape)).reshape(2, *shape)
    behind = [(0, p - n) for p, n in zip(result.padded, shape, strict=True)]
    expected = np.pad(image, [(0, 0), *behind], mode="reflect")
    for tile in result.tiles:
        part = read_mirrored(image, plan=result, region=tile.read)
        np.testing.assert_array_equal(part, expected[(slice(None), *tile.read)])
        assert part.flags.c_contiguous


def test_a_plan_worked_out_by_hand() -> None:
    result = plan((21,), tile=(16,), halo=(3,), divisor=(4,))  # 21 -> 24: writes 0..16, 16..24; halo 3 -> 4
    assert result == TilePlan(shape=(21,), padded=(24,), tiles=result.tiles, inside=(slice(0, 21),))
    assert [(t.read, t.write) for t in result.tiles] == [
        ((slice(0, 20),), (slice(0, 16),)),
        ((slice(12, 24),), (slice(16, 24),)),
    ]
    assert result.tiles[1].halos == ((4, 0),)


@st.composite
def middles(draw: st.DrawFn) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]], tuple[slice, ...]]:
    """As `layouts`, with a part to write whose sides lie on multiples of the divisor or at the end."""
    shape, arguments = draw(layouts())
    inside = []
    for length, divisor in zip(shape, arguments["divisor"], strict=True):
        start = draw(st.sampled_from(range(0, length, divisor)))
        inside.append(slice(start, draw(st.sampled_from([*range(start + divisor, length, divisor), length]))))
    return shape, arguments, tuple(inside)


@settings(max_examples=60, deadline=None)
@given(middles())
def test_tiles_write_the_part_they_are_asked_for_once_and_nothing_else(layout) -> None:
    shape, arguments, inside = layout
    result = plan(shape, **arguments, inside=inside)
    assert result.inside == inside
    image, output = np.arange(math.prod(shape)).reshape(shape), np.full(result.written, -1)
    written = np.zeros(result.padded, int)
    for tile in result.tiles:
        written[tile.write] += 1
        for axis, (read, write) in enumerate(zip(tile.read, tile.write, strict=True)):
            divisor = arguments["divisor"][axis]
            halo = _round_up(arguments["halo"][axis], divisor)
            assert (read.start, read.stop) == (max(write.start - halo, 0), min(write.stop + halo, result.padded[axis]))
            assert all(n % divisor == 0 for n in (read.start, read.stop, write.start, write.stop))
            assert 0 < write.stop - write.start <= arguments["tile"][axis]
        target = result.target(tile)
        pixels = read_mirrored(image[None], plan=result, region=tile.write)[0]
        output[target] = pixels[tuple(slice(0, side.stop - side.start) for side in target)]
    np.testing.assert_array_equal(output, image[inside])
    assert (written[inside] == 1).all()
    written[inside] = 0
    beyond = tuple(slice(0, n) for n in shape)
    assert not written[beyond].any()  # only mirrored pixels behind the image are written besides


@settings(max_examples=30, deadline=None)
@given(layouts())
def test_the_whole_image_is_the_default_part(layout) -> None:
    shape, arguments = layout
    assert plan(shape, **arguments) == plan(shape, **arguments, inside=tuple(slice(0, n) for n in shape))


def test_a_middle_worked_out_by_hand() -> None:
    result = plan((30,), tile=(8,), halo=(3,), divisor=(4,), inside=(slice(8, 20),))
    assert [(t.read, t.write, result.target(t)) for t in result.tiles] == [
        ((slice(4, 20),), (slice(8, 16),), (slice(0, 8),)),
        ((slice(12, 24),), (slice(16, 20),), (slice(8, 12),)),
    ]
    assert (result.padded, result.written) == ((32,), (12,))
    end = plan((30,), tile=(8,), halo=(3,), divisor=(4,), inside=(slice(24, 30),))
    assert [(t.read, t.write, end.target(t)) for t in end.tiles] == [
        ((slice(20, 32),), (slice(24, 32),), (slice(0, 6),))
    ]


@pytest.mark.parametrize("side", [(4, 16), (0, 12), (8, 33), (8, 8), (16, 8), (-8, 8), (8, 30)])
def test_a_part_off_the_steps_of_the_network_or_outside_is_refused(side) -> None:
    with pytest.raises(InputError, match=r"multiples of \(8, 8\) within \(32, 20\)"):
        plan((32, 20), tile=(8, 8), halo=(0, 0), divisor=(8, 8), inside=(slice(*side), slice(0, 20)))


def test_tiny_images_are_mirrored_again_and_again() -> None:
    result = plan((2,), tile=(8,), halo=(0,), divisor=(8,))
    whole = read_mirrored(np.array([[5, 7]]), plan=result, region=(slice(0, 8),))
    assert whole.tolist() == [[5, 7, 5, 7, 5, 7, 5, 7]]
    single = plan((1,), tile=(4,), halo=(0,), divisor=(4,))
    assert read_mirrored(np.array([[9]]), plan=single, region=(slice(0, 4),)).tolist() == [[9, 9, 9, 9]]


def test_what_is_read_is_a_copy() -> None:
    image = np.zeros((1, 8, 8))
    result = plan((8, 8), tile=(8, 8), halo=(0, 0), divisor=(8, 8))
    read_mirrored(image, plan=result, region=result.tiles[0].read)[:] = 1
    assert not image.any()


@pytest.mark.parametrize(
    "change", [np.asfortranarray, lambda a: a[:, ::-1].copy()[:, ::-1], lambda a: np.repeat(a, 2, 2)[..., ::2]]
)
def test_memory_layout_does_not_matter(change) -> None:
    image = np.random.default_rng(0).normal(size=(2, 9, 9))
    result = plan((9, 9), tile=(8, 8), halo=(4, 4), divisor=(4, 4))
    for tile in result.tiles:
        part = read_mirrored(change(image), plan=result, region=tile.read)
        np.testing.assert_array_equal(part, read_mirrored(image, plan=result, region=tile.read))


def test_only_the_needed_pixels_of_a_lazy_image_are_read() -> None:
    class Lazy:
        shape = (1, 100, 100)
        asked: tuple[slice, ...] = ()

        def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
            self.asked = key
            return np.zeros(self.shape)[key]

    lazy = Lazy()
    result = plan((100, 100), tile=(16, 16), halo=(8, 8), divisor=(8, 8))
    read_mirrored(lazy, plan=result, region=(slice(88, 104), slice(16, 48)))
    assert lazy.asked == (slice(None), slice(88, 100), slice(16, 48))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tile": (250, 256)}, "must be a multiple of 16, got 250; use 256"),
        ({"tile": (0, 256)}, "got 0; use 16"),
        ({"tile": (256,)}, "tile needs one number for each of the 2 spatial axes"),
        ({"halo": (-1, 0)}, "at least 0"),
        ({"divisor": (0, 16)}, "at least 1"),
    ],
)
def test_bad_arguments_are_explained(arguments, message) -> None:
    good = {"tile": (256, 256), "halo": (0, 0), "divisor": (16, 16)}
    with pytest.raises(InputError, match=message):
        plan((300, 300), **(good | arguments))


def test_empty_and_four_dimensional_images_are_refused() -> None:
    with pytest.raises(InputError, match="none of them empty"):
        plan((0, 5), tile=(4, 4), halo=(0, 0), divisor=(4, 4))
    with pytest.raises(InputError, match="1 to 3 spatial axes"):
        plan((5,) * 4, tile=(4,) * 4, halo=(0,) * 4, divisor=(4,) * 4)


def test_an_image_that_is_not_the_planned_one_is_refused() -> None:
    result = plan((8, 8), tile=(8, 8), halo=(0, 0), divisor=(8, 8))
    with pytest.raises(InputError, match="plan them anew"):
        read_mirrored(np.zeros((1, 8, 9)), plan=result, region=result.tiles[0].read)


def test_choose_tile_by_hand() -> None:
    net = {"divisor": (16, 16), "halo": (32, 32), "bytes_per_pixel": 10.0}
    assert choose_tile((40, 50), **net, budget=10**9) == (48, 64)  # the whole image, rounded up
    assert choose_tile((5000, 5000), **net, budget=10**12) == (1024, 1024)
    assert choose_tile((5000, 5000), **net, budget=192 * 192 * 10) == (128, 128)
    assert choose_tile((5000, 5000), **net, budget=192 * 192 * 10 - 1) == (112, 112)
    assert choose_tile((5000, 5000), **net, budget=0) == (16, 16)  # nothing fits: the smallest


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(1, 40), st.integers(1, 300), st.integers(1, 300)), st.integers(10**5, 10**7))
def test_a_chosen_tile_fits_the_budget(shape, budget) -> None:
    divisor, halo = (4, 16, 16), (8, 32, 32)
    tile = choose_tile(shape, divisor=divisor, halo=halo, bytes_per_pixel=2.0, budget=budget)
    assert all(t % d == 0 and d <= t <= _round_up(n, d) for t, d, n in zip(tile, divisor, shape, strict=True))
    reads = [t.read for t in plan(shape, tile=tile, halo=halo, divisor=divisor).tiles]
    largest = max(math.prod(r.stop - r.start for r in read) for read in reads)
    assert largest * 2 <= budget or tile[1:] == (16, 16)


def test_a_tile_edge_is_checked_without_an_image():
    check_tile(None, divisor=(16, 16))
    check_tile(64, divisor=(16, 16))
    with pytest.raises(InputError, match="multiple of 16"):
        check_tile(250, divisor=(16, 16))
