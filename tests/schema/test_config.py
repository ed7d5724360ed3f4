"""Configs are frozen, bounded, refuse unknown keys, and survive a round trip through JSON."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from napari_unetseg.schema import config
from napari_unetseg.schema.base import Config
from napari_unetseg.schema.config import NetworkConfig, Recipe, TargetConfig, TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig

CONFIGS = [entry for entry in vars(config).values() if isinstance(entry, type) and issubclass(entry, Config)]


@pytest.mark.parametrize("kind", CONFIGS, ids=lambda kind: kind.__name__)
def test_defaults_are_valid_and_round_trip(kind: type[Config]) -> None:
    value = kind()
    assert kind.model_validate_json(value.model_dump_json()) == value


@pytest.mark.parametrize("kind", CONFIGS[1:], ids=lambda kind: kind.__name__)
def test_unknown_keys_are_refused(kind: type[Config]) -> None:
    with pytest.raises(ValidationError, match="colour"):
        kind.model_validate({"colour": 1})


def test_configs_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DecodingConfig().threshold = 0.3  # type: ignore[misc]  # that is the point


def test_replace_validates() -> None:
    assert DecodingConfig().replace(threshold=0.3).threshold == 0.3
    with pytest.raises(ValidationError, match="less than 1"):
        DecodingConfig().replace(threshold=1.5)


def test_replace_keeps_nested_configs() -> None:
    recipe = Recipe(network=NetworkConfig(width=7)).replace(batch=3)
    assert (recipe.network.width, recipe.batch) == (7, 3)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (NetworkConfig, {"depth": 10**6}),
        (NetworkConfig, {"in_channels": 10**9}),
        (NetworkConfig, {"width": -3}),
        (NetworkConfig, {"width": 256, "depth": 7}),
        (NetworkConfig, {"architecture": "os:system"}),
        (NetworkConfig, {"architecture": "../x"}),
        (NetworkConfig, {"ndim": 2, "flat_levels": 1}),
        (NetworkConfig, {"ndim": 3, "depth": 2, "flat_levels": 3}),
        (TilingConfig, {"tile": 0}),
        (TilingConfig, {"device": "cuda; rm"}),
        (TargetConfig, {"kind": "semantic", "classes": 1}),
        (TargetConfig, {"kind": "semantic", "classes": 256}),
        (TargetConfig, {"kind": "both", "classes": 3}),
        (Recipe, {"target": {"kind": "semantic", "classes": 3}}),
        (Recipe, {"patch": (64,)}),
        (Recipe, {"network": {"out_channels": 3}}),
        (Recipe, {"learning_rate": float("nan")}),
        (Recipe, {"steps": 0}),
    ],
)
def test_impossible_values_are_refused(kind: type[Config], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(values)


@pytest.mark.parametrize(
    ("kind", "classes", "channels"), [("boundary", 3, 3), ("distance", 2, 3), ("both", 3, 4), ("semantic", 2, 2)]
)
def test_the_target_says_what_the_network_must_give(kind: str, classes: int, channels: int) -> None:
    target = TargetConfig.model_validate({"kind": kind})
    assert (target.class_count, target.out_channels) == (classes, channels)
    assert target.has_distance == (channels > classes)


def test_a_recipe_for_classes_is_open_until_their_number_is_known() -> None:
    recipe = Recipe(target=TargetConfig(kind="semantic"))
    fitted = recipe.with_classes(5)
    assert (fitted.target.classes, fitted.network.out_channels, fitted.target.out_channels) == (5, 5, 5)
    assert recipe.pixel_weights.w0 == 0
    assert Recipe().pixel_weights == Recipe().weights


def test_every_field_explains_itself() -> None:
    nested = {"network", "normalization", "target", "weights", "loss", "augmentation", "decoding"}
    for kind in CONFIGS:
        for name, field in kind.model_fields.items():
            assert field.description or name in nested, f"{kind.__name__}.{name}"
