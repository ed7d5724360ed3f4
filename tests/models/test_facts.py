"""A model's card in brief, and in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_unetseg.models.facts import every_field, main_facts
from napari_unetseg.schema.card import ModelCard, TrainingRecord
from napari_unetseg.schema.config import Recipe

RECORD = TrainingRecord(
    recipe=Recipe(steps=3),
    data="cells",
    images=1,
    objects=1200,
    validation_images=2,
    steps=3,
    seconds=65,
    scores={"ap0.50": 0.8412, "ap0.75": 0.5, "mean_ap": 0.6},
    date="2025-01-31T10:00:00+00:00",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "toy.safetensors").write_bytes(b"x" * 1_500_000)
    return tmp_path / "toy.safetensors"


def test_the_main_facts(card: ModelCard, path: Path) -> None:
    trained = card.replace(training=RECORD, object_diameter=20.31, pixel_size=(0.5, 0.25))
    assert main_facts(trained, path=path) | {"file": ""} == {
        "name": "toy",
        "axes": "YX (plane by plane); 1 channel: signal",
        "objects": "about 20 px wide in training, pixels of 0.5 x 0.25 µm",
        "network": "unet 2D, width 2, depth 1",
        "size": "1.5 MB",
        "trained on": "cells; 1,200 objects in 1 image",
        "training": "3 steps in 1 min 05 s, 2025-01-31",
        "scores": "AP at IoU 0.50 0.841, mean AP 0.50-0.90 0.600 (2 validation images)",
        "licence": "BSD-3-Clause",
        "file": "",
    }


def test_a_model_that_was_never_scored_says_so(card: ModelCard, path: Path) -> None:
    facts = main_facts(card.replace(training=RECORD.replace(scores={})), path=path)
    assert facts["scores"] == "none measured"
    assert "scores" not in main_facts(card, path=path)


def test_every_field_has_its_dotted_name(card: ModelCard) -> None:
    fields = dict(every_field(card.replace(thumbnail="AAAA" * 100).model_dump(mode="json")))
    assert fields["network.width"] == "2"
    assert fields["classes"] == "background, interior, boundary"
    assert fields["thumbnail"] == "PNG, 300 bytes"
    assert "description" not in fields
