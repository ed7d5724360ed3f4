"""A card must be consistent with itself."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from napari_unetseg.schema.card import ModelCard, TrainingRecord
from napari_unetseg.schema.config import NetworkConfig, Recipe, TargetConfig


def test_round_trip_with_the_training_record() -> None:
    card = ModelCard(
        name="nuclei 2", network=NetworkConfig(), training=TrainingRecord(recipe=Recipe(), scores={"ap50": 0.9})
    )
    assert ModelCard.model_validate_json(card.model_dump_json()) == card


def test_axes_follow_the_network() -> None:
    assert ModelCard(name="a", network=NetworkConfig(ndim=3)).axes == "ZYX"
    assert ModelCard(name="a", network=NetworkConfig(ndim=2)).axes == "YX"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network": NetworkConfig(in_channels=2)}, "1 channel names for 2 input channels"),
        ({"target": TargetConfig(kind="boundary")}, "target 'boundary' needs 3"),
        (
            {"target": TargetConfig(kind="semantic", classes=4), "classes": ("background", "membrane")},
            "2 names for 4 classes",
        ),
        ({"name": "../escape"}, "name"),
        ({"name": ""}, "name"),
        ({"sha256": "abc"}, "sha256"),
        ({"object_diameter": -1.0}, "greater than 0"),
        ({"colour": 3}, "colour"),
    ],
)
def test_contradictions_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelCard.model_validate({"name": "a", "network": NetworkConfig(), **values})
