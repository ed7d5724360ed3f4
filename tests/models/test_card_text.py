"""A card is read back as it was written, and a card that is not in order is refused in one readable line."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_unetseg import __version__
from napari_unetseg.models import card_text
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.config import NetworkConfig

CARD = ModelCard(name="toy", network=NetworkConfig(width=2, depth=1))
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


def read(text: str, *, writer: str = "9.8.7") -> ModelCard:
    """Read a card of this text, with a checksum that matches."""
    checksum = card_text._checksum(text, writer)
    return card_text.from_metadata({"unetseg": text, "unetseg_version": writer, "unetseg_sha256": checksum})


def read_changed(**changes) -> ModelCard:
    fields = json.loads(CARD.model_dump_json())
    network = {**fields["network"], **changes.pop("network", {})}
    return read(json.dumps({**fields, **changes, "network": network}))


def test_a_card_comes_back():
    card = CARD.replace(name="µ-cells 3", pixel_size=(0.5, 0.25))
    metadata = card_text.to_metadata(card)
    assert card_text.from_metadata(metadata) == card
    assert metadata["unetseg_version"] == __version__


def test_a_card_without_its_checksum_is_refused():
    metadata = card_text.to_metadata(CARD)
    for key in ("unetseg_sha256", "unetseg_version"):
        with pytest.raises(ValueError, match="checksum does not match"):
            card_text.from_metadata({name: text for name, text in metadata.items() if name != key})


def test_a_file_of_another_program_has_no_card():
    with pytest.raises(ValueError, match=r"no model card; .*converted"):
        card_text.from_metadata({"format": "pt"})


@pytest.mark.parametrize("name", ["os:system", "..", "builtins.eval", "__import__('os')", ""])
def test_a14_a_card_cannot_name_code(name):
    with pytest.raises(ValueError, match="unknown architecture") as caught:
        read_changed(network={"architecture": name})
    assert repr(name) in str(caught.value)


def test_a15_a_newer_card_tells_which_version_it_needs():
    with pytest.raises(ValueError, match=r"needs napari-unetseg >= 9\.8\.7 .*schema 2.*pip install --upgrade"):
        read_changed(schema_version=2)


def test_a15_a_newer_card_with_unknown_fields_says_newer_not_unknown_field():
    with pytest.raises(ValueError, match="needs napari-unetseg"):
        read_changed(schema_version=2, invented_later=1)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({"depth": 10**6}, r"network\.depth: .*less than or equal to 7 \(got 1000000\)"),
        ({"in_channels": 10**9}, r"network\.in_channels"),
        ({"width": -3}, r"network\.width"),
        ({"kernel": -3}, r"network\.kernel: Extra inputs"),
        ({"depth": "many"}, r"network\.depth"),
        ({"width": 256, "depth": 7}, "over 8192 channels"),
    ],
)
def test_a16_numbers_out_of_bounds_are_named(network, expected):
    with pytest.raises(ValueError, match=expected) as caught:
        read_changed(network=network)
    assert "\n" not in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_many_problems_are_cut_short():
    with pytest.raises(ValueError, match="and 4 more"):
        read_changed(**{f"wrong{number}": 1 for number in range(9)})


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 50_000, "3", "null", "{}", '"x"', "[]", '{"schema_version": "1"}', "{", '{"a":1,"a":1}'],
)
def test_a11_a17_a_card_that_is_no_card_is_refused(text):
    with pytest.raises(ValueError, match="card"):
        read(text)


def test_a18_a_huge_card_is_refused():
    with pytest.raises(ValueError, match="card of more than"):
        read(" " * (card_text.MAX_CARD_BYTES + 1))


def test_lone_surrogates_are_an_error_not_a_crash():
    with pytest.raises(ValueError, match="name"):
        read_changed(name="\ud800")


@settings(max_examples=60, deadline=None)
@given(ANY_JSON)
def test_any_json_in_the_place_of_the_card_gives_our_error(value):
    with pytest.raises(ValueError, match="card"):
        read(json.dumps(value))
