"""A 2D model as one for volumes: it looks at planes along all three axes."""

from __future__ import annotations

from dataclasses import replace

from napari_unetseg.images.source import ImageSource
from napari_unetseg.networks.three_axes import ThreeAxes
from napari_unetseg.schema.card import ModelCard
from napari_unetseg.schema.decoding import DecodingConfig
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.model import Model


def model_for(source: ImageSource, *, model: Model, decoding: DecodingConfig) -> Model:
    """Return the model as it is run on `source`: with `decoding.three_axes` a 3D one, made of the 2D one.

    A model that this has returned stays as it is, and so does one of whose own settings three axes are where the image
    has no Z: a plane is segmented as such. Raises `InputError` for 3D models, and where others are asked for that.
    """
    check_z_step(decoding, card=model.card)
    if not decoding.three_axes or isinstance(model.network, ThreeAxes):
        return model
    if model.card.network.ndim == 3:
        raise InputError(f"'{model.card.name}' is a 3D model and sees volumes already; leave --three-axes out")
    if source.sizes["Z"] == 1:
        if model.card.decoding.three_axes:
            return model
        raise InputError(
            f"{source.name}: --three-axes is for volumes, and the image has no Z axis (axes {source.axes.letters}); "
            "give its axes with --axes, or leave --three-axes out"
        )
    network = ThreeAxes(model.network, z_step=decoding.z_step or source.z_step, classes=model.card.target.class_count)
    return replace(model, card=model.card.replace(network=network.config), network=network.eval())


def check_z_step(decoding: DecodingConfig, *, card: ModelCard) -> None:
    """Refuse a distance of planes where nobody looks across them; that of the card itself may wait for three axes."""
    if decoding.z_step is not None and not decoding.three_axes and decoding.z_step != card.decoding.z_step:
        raise InputError(
            f"--z-step {decoding.z_step} is for --three-axes and does nothing without; "
            "turn on --three-axes, or leave --z-step out"
        )


def planes_of(model: Model) -> Model:
    """Return the 2D model that `model_for` has made one for volumes of; another model as it is."""
    if not isinstance(model.network, ThreeAxes):
        return model
    flat = model.network.network
    return replace(model, card=model.card.replace(network=flat.config), network=flat)
