"""The registry of architectures."""

from __future__ import annotations

import pytest

from napari_unetseg.networks.registry import build, describe, names
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


def test_every_name_builds() -> None:
    for name in names():
        assert build(NetworkConfig(architecture=name, width=2)).config.architecture == name


def test_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"unknown architecture 'x'; known: .*unet"):
        build(NetworkConfig(architecture="x"))
    with pytest.raises(InputError, match=r"did you mean 'unet'\?"):
        build(NetworkConfig(architecture="unett"))


def test_settings_that_an_architecture_does_not_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"network 'unet', setting 'speed': .*; its settings: "):
        build(NetworkConfig(settings={"speed": 3}))


def test_description_counts_the_default_network() -> None:
    rows = describe()
    assert [row["name"] for row in rows] == names()
    unet = next(row for row in rows if row["name"] == "unet")
    assert unet["parameters"] == 1_942_340
    assert all(row["summary"] and row["reference"] for row in rows)
