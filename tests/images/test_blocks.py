"""Blocks: cores partition the frame, what is seen and read surrounds them, all sides fit the network."""

from __future__ import annotations

import math
import time
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg.images.blocks import Block, cut, fit, within
from napari_unetseg.images.lattice import Lattice
from napari_unetseg.schema.errors import InputError


def context_of(*, margin: tuple[int, ...], halo: tuple[int, ...], divisor: tuple[int, ...]) -> dict[str, Any]:
    return {"margin": margin, "lattice": Lattice(divisor=divisor, halo=halo)}


CONTEXT = context_of(margin=(16, 16), halo=(8, 8), divisor=(8, 8))


@st.composite
def frames(draw: st.DrawFn, *, largest: int = 60) -> tuple[tuple[int, ...], dict[str, Any]]:
    """The shape of a frame and its context, in 1 to 3 dimensions."""
    axes = draw(st.integers(1, 3))

    def numbers(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(low, high), min_size=axes, max_size=axes)))

    context = context_of(margin=numbers(0, 20), halo=numbers(0, 20), divisor=numbers(1, 9))
    return numbers(1, largest), context


def _round_up(value: int, divisor: int) -> int:
    return (value + divisor - 1) // divisor * divisor


def _pixels(block: Block) -> int:
    return math.prod(side.stop - side.start for side in block.window)


def _spans(sides: tuple[slice, ...]) -> list[tuple[int, int]]:
    return [(side.start, side.stop) for side in sides]


@settings(max_examples=60, deadline=None)
@given(frames(), st.lists(st.integers(1, 6), min_size=3, max_size=3))
def test_cores_partition_the_frame_and_the_rest_surrounds_them(frame, counts) -> None:
    shape, context = frame
    written = np.zeros(shape, int)
    blocks = cut(shape, counts=tuple(counts[: len(shape)]), **context)
    for block in blocks:
        written[block.core] += 1
        for axis, length in enumerate(shape):
            divisor = context["lattice"].divisor[axis]
            margin, halo = (_round_up(n, divisor) for n in (context["margin"][axis], context["lattice"].halo[axis]))
            core, seen, window = block.core[axis], block.seen[axis], block.window[axis]
            assert (seen.start, seen.stop) == (max(core.start - margin, 0), min(core.stop + margin, length))
            assert (window.start, window.stop) == (max(seen.start - halo, 0), min(seen.stop + halo, length))
            for side in (core, seen, window):
                assert side.start % divisor == 0
                assert side.stop % divisor == 0 or side.stop == length
    assert (written == 1).all()
    assert [block.core for block in blocks] == sorted((block.core for block in blocks), key=_spans)


@settings(max_examples=60, deadline=None)
@given(frames(), st.lists(st.integers(1, 6), min_size=3, max_size=3))
def test_no_more_blocks_than_asked_for_and_all_of_one_edge(frame, counts) -> None:
    shape, context = frame
    blocks = cut(shape, counts=tuple(counts[: len(shape)]), **context)
    for axis, length in enumerate(shape):
        starts = sorted({block.core[axis].start for block in blocks})
        edges = {block.core[axis].stop - block.core[axis].start for block in blocks if block.core[axis].stop < length}
        assert len(starts) <= counts[axis]
        assert len(edges) <= 1
        assert all(edge < math.ceil(length / counts[axis]) + context["lattice"].divisor[axis] for edge in edges)


def test_blocks_worked_out_by_hand() -> None:
    context = context_of(margin=(5,), halo=(3,), divisor=(4,))
    blocks = cut((45,), counts=(2,), **context)  # 45 / 2 -> 24; margin 5 -> 8; halo 3 -> 4
    assert blocks == (
        Block((slice(0, 24),), (slice(0, 32),), (slice(0, 36),)),
        Block((slice(24, 45),), (slice(16, 45),), (slice(12, 45),)),
    )


def test_axes_are_cut_apart_in_c_order() -> None:
    blocks = cut((40, 16, 24), counts=(2, 1, 3), **context_of(margin=(0,) * 3, halo=(0,) * 3, divisor=(8,) * 3))
    assert [_spans(block.core) for block in blocks] == [
        [z, (0, 16), x] for z in ((0, 24), (24, 40)) for x in ((0, 8), (8, 16), (16, 24))
    ]
    assert all(block.core == block.seen == block.window for block in blocks)


def test_a_frame_smaller_than_the_divisor_is_one_block() -> None:
    assert cut((5, 3), counts=(4, 4), **CONTEXT) == (Block(*((slice(0, 5), slice(0, 3)),) * 3),)


def test_sides_are_open_where_the_frame_goes_on_beyond_what_is_seen() -> None:
    blocks = cut((200, 10), counts=(4, 1), **CONTEXT)  # cores of 56, 56, 56 and 32
    closed = (False, False)
    assert [block.open_sides((200, 10)) for block in blocks] == [
        ((False, True), closed),
        ((True, True), closed),
        ((True, True), closed),
        ((True, False), closed),
    ]
    near = cut((60, 10), counts=(2, 1), **{**CONTEXT, "margin": (32, 0)})  # each sees the whole frame
    assert all(block.open_sides((60, 10)) == (closed, closed) for block in near)


@settings(max_examples=40, deadline=None)
@given(frames(largest=30), st.lists(st.integers(1, 3), min_size=3, max_size=3))
def test_within_finds_in_a_crop_what_lies_there_in_the_frame(frame, counts) -> None:
    shape, context = frame
    image = np.arange(math.prod(shape)).reshape(shape)
    for block in cut(shape, counts=tuple(counts[: len(shape)]), **context):
        for inner, outer in ((block.core, block.seen), (block.seen, block.window), (block.core, block.window)):
            np.testing.assert_array_equal(image[outer][within(inner, outer)], image[inner])


def test_a_frame_that_fits_is_one_block() -> None:
    for shape in ((300, 200), (1, 1), (7, 300)):
        (block,) = fit(shape, pixels=math.prod(shape), **CONTEXT)
        assert block.core == block.seen == block.window == tuple(slice(0, length) for length in shape)
        assert not any(any(ends) for ends in block.open_sides(shape))


def test_one_pixel_less_than_the_frame_takes_two_blocks() -> None:
    blocks = fit((300, 200), pixels=300 * 200 - 1, **CONTEXT)
    assert [_spans(block.core) for block in blocks] == [[(0, 152), (0, 200)], [(152, 300), (0, 200)]]


def test_the_longest_edge_is_cut_first() -> None:
    free, steep = (context_of(margin=(0, 0), halo=(0, 0), divisor=divisor) for divisor in ((4, 4), (16, 8)))
    blocks = fit((40, 400), pixels=40 * 100, **free)
    assert [_spans(block.core) for block in blocks] == [[(0, 40), (x, x + 100)] for x in range(0, 400, 100)]
    blocks = fit((400, 40), pixels=100 * 40, **free)
    assert [_spans(block.core) for block in blocks] == [[(y, y + 100), (0, 40)] for y in range(0, 400, 100)]
    # 96 planes are 6 steps of the network, 80 rows are 10: the rows are cut
    blocks = fit((96, 80), pixels=96 * 40, **steep)
    assert [_spans(block.core) for block in blocks] == [[(0, 96), (0, 40)], [(0, 96), (40, 80)]]


@settings(max_examples=60, deadline=None)
@given(frames(largest=40), st.integers(1, 20_000))
def test_all_windows_fit_the_budget_or_it_is_an_error(frame, pixels) -> None:
    shape, context = frame
    try:
        blocks = fit(shape, pixels=pixels, **context)
    except InputError:
        blocks = cut(shape, counts=shape, **context)
        assert max(map(_pixels, blocks)) > pixels
    else:
        assert max(map(_pixels, blocks)) <= pixels


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(0, 20), st.integers(0, 20), st.integers(1, 9), st.integers(1, 120))
def test_a_line_is_cut_into_the_fewest_blocks_that_fit(length, margin, halo, divisor, pixels) -> None:
    context = context_of(margin=(margin,), halo=(halo,), divisor=(divisor,))
    every = [cut((length,), counts=(count,), **context) for count in range(1, length + 1)]
    fitting = [len(blocks) for blocks in every if max(map(_pixels, blocks)) <= pixels]
    if fitting:
        assert len(fit((length,), pixels=pixels, **context)) == min(fitting)
    else:
        with pytest.raises(InputError, match="smallest block"):
            fit((length,), pixels=pixels, **context)


@pytest.mark.parametrize("pixels", [56 * 56, 7_000, 10_000, 20_000, 40_000])
def test_a_square_is_cut_into_hardly_more_blocks_than_the_fewest(pixels) -> None:
    every = (cut((200, 200), counts=counts, **CONTEXT) for counts in product(range(1, 26), repeat=2))
    fewest = min(len(blocks) for blocks in every if max(map(_pixels, blocks)) <= pixels)
    assert fewest <= len(fit((200, 200), pixels=pixels, **CONTEXT)) <= 1.2 * fewest


def test_a_budget_below_the_context_is_an_error_that_names_both() -> None:
    smallest = 8 + 2 * 16 + 2 * 8
    assert max(map(_pixels, fit((200, 200), pixels=smallest**2, **CONTEXT))) == smallest**2
    with pytest.raises(InputError, match=rf"has {smallest**2} pixels, memory allows {smallest**2 - 1}; .*--memory"):
        fit((200, 200), pixels=smallest**2 - 1, **CONTEXT)
    with pytest.raises(InputError, match="has 15 pixels, memory allows 14"):
        fit((3, 5), pixels=14, **CONTEXT)


def test_a_budget_that_is_too_small_for_a_large_volume_is_refused_at_once() -> None:
    began = time.perf_counter()
    with pytest.raises(InputError, match="smallest block"):
        fit((2048,) * 3, **context_of(margin=(32,) * 3, halo=(24,) * 3, divisor=(8,) * 3), pixels=10)
    assert time.perf_counter() - began < 5  # it took hours
