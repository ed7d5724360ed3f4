"""The registry of architectures."""

from __future__ import annotations

import re

import pytest

from napari_unetseg.networks.registry import build, describe, kind_of, names
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


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("unet++", "unet_plus_plus"),
        ("U-Net", "unet"),
        ("unet_plusplus", "unet_plus_plus"),
        ("SegNet", "segnet"),
        ("SegNet-Basic", "segnet_basic"),
        ("U²-Net", "u2net"),
        ("FCN-8s", "fcn8s"),
        ("DeepLabv3", "deeplab_v3"),
        ("DeepLab v3+", "deeplab_v3_plus"),
    ],
)
def test_spellings_of_papers_are_recognised_but_not_taken(spelling: str, name: str) -> None:
    with pytest.raises(InputError, match=rf"unknown architecture '{re.escape(spelling)}'; .*did you mean '{name}'\?$"):
        kind_of(spelling)


def test_a_name_like_none_gets_no_hint() -> None:
    for name in ("transformer", "+", ""):
        with pytest.raises(InputError, match=rf"unknown architecture '{re.escape(name)}'; known: [a-z0-9_, ]*$"):
            kind_of(name)


def test_settings_that_an_architecture_does_not_have_are_refused() -> None:
    with pytest.raises(InputError, match=r"network 'unet', setting 'speed': .*; its settings: "):
        build(NetworkConfig(settings={"speed": 3}))


def test_description_counts_the_default_network() -> None:
    rows = describe()
    assert [row["name"] for row in rows] == names()
    unet = next(row for row in rows if row["name"] == "unet")
    assert unet["parameters"] == 1_942_340
    assert all(row["summary"] and row["reference"] for row in rows)
