"""Options and recipes: what is refused, and in which words."""

from __future__ import annotations

import pytest

from napari_unetseg.cli.settings import apply_options, channel_list, make_recipe, numbers, read_recipe
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError


def test_options_that_are_not_given_change_nothing():
    assert apply_options(TilingConfig(), tile=None, device=None) == TilingConfig()
    assert apply_options(TilingConfig(), tile=256).tile == 256


def test_a_bad_option_is_named_as_it_is_typed():
    with pytest.raises(InputError, match=r"--seed-threshold: .*less than 1, got 2"):
        apply_options(DecodingConfig(), seed_threshold=2)


def test_an_unknown_recipe_key_is_named_with_the_known_ones():
    with pytest.raises(
        InputError, match=r"r\.toml: unknown key 'network\.widht' \(did you mean 'width'\?\); known here: .*width"
    ):
        make_recipe([{"network": {"widht": 3}}], where="r.toml")
    with pytest.raises(InputError, match=r"unknown key 'step' \(did you mean 'steps'\?\); known here: .*steps"):
        make_recipe([{"step": 3}], where="r.toml")


def test_a_recipe_table_given_as_a_number_is_refused():
    with pytest.raises(InputError, match="network"):
        make_recipe([{"network": 3}], where="r.toml")
    for above in ({}, {"width": 8}):
        with pytest.raises(InputError, match=r"network: .*got 'segnet'"):
            make_recipe([{"network": "segnet"}, {"network": above}], where="r.toml")


def test_later_layers_win_key_by_key():
    recipe = make_recipe([{"batch": 2, "network": {"width": 8, "depth": 3}}, {"network": {"width": 16}}], where="x")
    assert (recipe.batch, recipe.network.width, recipe.network.depth) == (2, 16, 3)


@pytest.mark.parametrize(("kind", "outputs"), [("boundary", 3), ("distance", 3), ("both", 4)])
def test_outputs_follow_the_target(kind, outputs):
    assert make_recipe([{"target": {"kind": kind}}], where="x").network.out_channels == outputs


def test_outputs_that_contradict_the_target_are_refused():
    with pytest.raises(InputError, match="out_channels is 2"):
        make_recipe([{"network": {"out_channels": 2}}], where="x")


def test_a_recipe_that_is_not_toml_is_refused(tmp_path):
    path = tmp_path / "r.toml"
    path.write_text("batch: 4")
    with pytest.raises(InputError, match="not TOML"):
        read_recipe(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_recipe(tmp_path / "none.toml")


@pytest.mark.parametrize(("text", "values"), [("512", (512,)), ("12,64,64", (12, 64, 64)), ("12x64X64", (12, 64, 64))])
def test_numbers(text, values):
    assert numbers(text, option="--shape") == values


@pytest.mark.parametrize("text", ["", "a", "3,", "0,4", "-3", "1.5", "3;4"])
def test_numbers_that_are_none(text):
    with pytest.raises(InputError, match=r"--shape takes whole numbers"):
        numbers(text, option="--shape")


@pytest.mark.parametrize(
    ("given", "channels"), [(None, None), ([], None), (["0"], [0]), (["0,2"], [0, 2]), (["2", "0"], [2, 0])]
)
def test_channels(given, channels):
    assert channel_list(given) == channels


@pytest.mark.parametrize("given", [["-1"], ["a"], ["0,"], ["²"]])
def test_channels_that_are_none(given):
    with pytest.raises(InputError, match="--channel"):
        channel_list(given)
