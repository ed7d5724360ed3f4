"""Strict JSON takes what JSON means and refuses what it leaves open."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_unetseg.models import strict_json


@given(st.dictionaries(st.text(), st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)))
def test_plain_values_come_back(value):
    assert strict_json.parse(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": {"b": 1, "b": 2}}', "the key 'b' twice"),
        ("[Infinity]", "not finite"),
        ("[1e999]", "out of range"),
        ("[" + "1" * 5000 + "]", "out of range"),
        (b'["\xff"]', "not UTF-8"),
        ("[1,]", "not JSON"),
    ],
)
def test_what_json_leaves_open_is_refused(text, expected):
    with pytest.raises(ValueError, match=expected):
        strict_json.parse(text)


def test_depth_is_bounded_exactly():
    deepest = "[" * strict_json.MAX_DEPTH + "]" * strict_json.MAX_DEPTH
    strict_json.parse(deepest)
    with pytest.raises(ValueError, match="nested deeper"):
        strict_json.parse(f"[{deepest}]")
