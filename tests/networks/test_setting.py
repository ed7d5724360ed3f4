"""Settings of architectures: what is told of them, and their values out of words."""

from __future__ import annotations

import pytest

from napari_unetseg.networks import registry
from napari_unetseg.networks.setting import describe_settings, read_settings
from napari_unetseg.schema.config import NetworkConfig
from napari_unetseg.schema.errors import InputError


def read(architecture: str, **texts: str) -> dict[str, object]:
    return read_settings(texts, kind=registry.kind_of(architecture), name=architecture)


def test_words_become_what_the_setting_is() -> None:
    assert read("unet", attention="true", groups="4", skips="sum", dropout="0.2", depth="3") == {
        "depth": 3,
        "dropout": 0.2,
        "settings": {"attention": True, "groups": 4, "skips": "sum"},
    }
    assert read("deeplab_v3", output_stride="8") == {"settings": {"output_stride": 8}}
    for word, is_on in (("True", True), ("false", False), ("yes", True), ("0", False)):
        assert read("unet", residual=word)["settings"] == {"residual": is_on}
    assert read("unet", norm="none") == {"norm": "none"}


@pytest.mark.parametrize(
    ("architecture", "texts", "message"),
    [
        (
            "unet",
            {"atention": "true"},
            r"network 'unet', setting 'atention': there is none \(did you mean 'attention'\?\); ",
        ),
        ("unet", {"speed": "3"}, r"there is none; its settings: attention, .*, dropout"),
        ("enet", {"attention": "true"}, r"network 'enet', setting 'attention': there is none; its settings: none"),
        ("unet", {"skips": "summ"}, r"should be 'concatenate' or 'sum', got 'summ' \(did you mean 'sum'\?\)"),
        ("unet", {"groups": "0"}, r"setting 'groups': input should be greater than or equal to 1, got 0; "),
        ("unet", {"attention": "maybe"}, r"setting 'attention': must be true or false, got 'maybe'; .*dropout"),
        ("gcn", {"kernel": "4"}, r"kernel must be odd.*use 5"),
    ],
)
def test_what_cannot_be_is_told_with_the_nearest(architecture: str, texts: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(architecture, **texts)


@pytest.mark.parametrize("key", ["depth", "width"])
def test_a_field_among_the_settings_is_told_its_place(key: str) -> None:
    message = rf"network 'unet', setting '{key}': it belongs under \[network\], not under \[network.settings\]"
    with pytest.raises(InputError, match=message):
        registry.build(NetworkConfig(settings={key: 3}))
    with pytest.raises(InputError, match="network 'enet', setting 'depth': there is none; its settings: none"):
        registry.build(NetworkConfig(architecture="enet", settings={"depth": 3}))


def test_a_wrong_value_in_a_recipe_lists_what_stands_in_that_table() -> None:
    with pytest.raises(InputError, match=r"true or false, got 'maybe'; its settings: attention, .*padding_mode$"):
        registry.build(NetworkConfig(settings={"attention": "maybe"}))


def test_settings_tell_type_bounds_default_and_meaning() -> None:
    told = {entry["name"]: entry for entry in describe_settings(registry.kind_of("unet"))}
    assert {"attention", "residual", "groups", "skips", "upsampling", "activation", "dropout"} <= told.keys()
    assert (told["attention"]["type"], told["attention"]["default"]) == ("bool", False)
    assert (told["groups"]["type"], told["groups"]["minimum"], told["groups"]["maximum"]) == ("int", 1, 64)
    assert (told["skips"]["type"], told["skips"]["choices"]) == ("str", ["concatenate", "sum"])
    assert (told["dropout"]["type"], told["dropout"]["maximum"]) == ("float", 0.9)


@pytest.mark.parametrize("name", registry.names())
def test_every_setting_is_explained_and_takes_its_default_as_a_word(name: str) -> None:
    kind = registry.kind_of(name)
    for entry in describe_settings(kind):
        assert len(entry["description"]) > 15
        found = read(name, **{entry["name"]: str(entry["default"])})
        assert {**found, **found.get("settings", {})}[entry["name"]] == entry["default"]
