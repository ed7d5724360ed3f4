"""The settings of decoding that the docks show: in a biologist's words, and as a model has them."""

from __future__ import annotations

from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.decoding import OF_MAPS, DecodingConfig

LABELS = {
    "diameter": "Object width",
    "threshold": "Foreground from",
    "seed_threshold": "Split from",
    "min_size": "Smallest object",
    "link_slices": "Join slices",
    "three_axes": "Three axes",
    "z_step": "Z step",
    "views": "Views",
}


def decoding_of(card: ModelCard | None) -> DecodingConfig:
    """Return what is chosen where nobody has chosen: what the model says, objects measured in each image."""
    return DecodingConfig() if card is None else card.usual_decoding


def means_something(name: str, card: ModelCard | None) -> bool:
    """Whether a setting does anything with a model: one of classes knows no objects."""
    return card is None or not card.target.is_semantic or name in OF_MAPS
