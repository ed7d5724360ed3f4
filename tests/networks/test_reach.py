"""Margins, halos and sizes against the numbers of the paper and of hand counts."""

from __future__ import annotations

import pytest

from napari_unetseg.networks import reach

FOUR = [2, 2, 2, 2]


def test_decoder_margins_of_four_levels() -> None:
    before, after = reach.decoder_margins(FOUR)
    assert before == [2, 3, 4, 4]
    assert after == [0, 1, 2, 2, 2]


def test_radius_and_halo_of_four_levels() -> None:
    assert reach.radius(FOUR) == 94
    assert reach.halo(FOUR) == 96


def test_without_pooling_a_level_keeps_its_pixels() -> None:
    # decoder 2, bottom 2, encoder 2: six 3-wide convolutions in a row
    assert reach.radius([1]) == 6
    assert reach.halo([1]) == 6


def test_sizes_of_the_paper() -> None:
    assert (reach.valid_input(28, FOUR), reach.valid_output(28, FOUR)) == (572, 388)
    assert (reach.valid_input(4, FOUR), reach.valid_output(4, FOUR)) == (188, 4)
    assert reach.valid_margin(FOUR) == 92


@pytest.mark.parametrize(
    ("size", "expected"), [(1, (188, 188)), (188, (188, 188)), (572, (572, 572)), (573, (572, 588)), (587, (572, 588))]
)
def test_nearest_valid_sizes(size: int, expected: tuple[int, int]) -> None:
    assert reach.nearest_valid(size, FOUR) == expected


def test_layers_by_hand() -> None:
    convolution, pooling, unpooling = reach.Layer(padding=1), reach.Layer(2, stride=2), reach.Layer(2, 2, is_up=True)
    assert reach.span([convolution], first=0, last=0) == (-1, 1)
    assert reach.span([reach.Layer(padding=4, dilation=4)], first=5, last=5) == (1, 9)
    assert reach.span([pooling, unpooling], first=1, last=2) == (0, 3)
    assert reach.span([reach.Layer(4, 2, 1, is_up=True)], first=0, last=1) == (-1, 1)
    assert reach.halo_of([convolution, pooling, convolution, unpooling], divisor=2) == 4  # 2 coarse, and 1


def test_layers_of_a_unet_give_its_radius() -> None:
    block, poolings = [reach.Layer(padding=1)] * 2, len(FOUR)
    down = ([*block, reach.Layer(2, 2)]) * poolings
    up = ([reach.Layer(2, 2, is_up=True), *block]) * poolings
    first, last = reach.span(down + block + up, first=0, last=15)
    assert (-first, last - 15) == (94, 94)
    assert reach.halo_of(down + block + up, divisor=16) == 96
