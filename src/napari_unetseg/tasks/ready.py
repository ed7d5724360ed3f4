"""A model ready to predict, in the way that its maps are wanted."""

from __future__ import annotations

from napari_unetseg.networks.views import Views
from napari_unetseg.schema.config import TilingConfig
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.tasks.model import Model
from napari_unetseg.tasks.predict import Predictor


def predictor_of(
    model: Model, *, decoding: DecodingConfig | None = None, tiling: TilingConfig | None = None
) -> Predictor:
    """Return the model on its device; its maps are the mean over `decoding.views` views (none: one)."""
    network, target = model.network, model.card.target
    if decoding is not None and decoding.views > 1:
        network = Views(network, count=decoding.views, classes=target.class_count)
    return Predictor(network, target=target, tiling=tiling)
