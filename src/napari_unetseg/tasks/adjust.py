"""A copy of a model with settings of its network that can be changed after training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from napari_unetseg.models import file, library
from napari_unetseg.networks import registry
from napari_unetseg.networks.setting import fields_of, read_settings, unknown
from napari_unetseg.schema.card import LONGEST_NAME, ModelCard
from napari_unetseg.schema.errors import InputError
from napari_unetseg.tasks.model import load_model, weights_of


def export_adjusted(
    name_or_path: str | Path, path: str | Path, *, texts: Mapping[str, str], overwrite: bool = False
) -> Path:
    """Write a copy of a model set to `texts`, such as {"keep": "2"}; a file is replaced only with `overwrite`.

    It holds the same weights, so it is as large; its name tells what it is set to, and scores are those before.
    """
    model = load_model(name_or_path)
    target = library.export_target(model.path, path, overwrite=overwrite)
    config = model.card.network
    name, kind = config.architecture, registry.kind_of(config.architecture)
    for setting in texts:
        if setting not in (known := fields_of(kind)):
            raise InputError(unknown(setting, known, name=name))
        if setting not in kind.changeable:
            can = ", ".join(sorted(kind.changeable)) or "nothing"
            raise InputError(
                f"of a trained '{name}' {can} can be set, not '{setting}', which its weights are learnt for; train a "
                f"network with it: train --network {name} --set {setting}={texts[setting]}"
            )
    layer = read_settings(texts, kind=kind, name=name)
    network = config.replace(settings={**config.settings, **layer["settings"]})
    with torch.device("meta"):
        registry.build(network)  # what does not go together is refused
    card = model.card.replace(name=_name(model.card, settings=layer["settings"]), network=network)
    file.save(target, card=card, weights=weights_of(model.network))
    return target


def _name(card: ModelCard, *, settings: Mapping[str, object]) -> str:
    """Return the model's name with what the copy is set to, in the place of what an earlier copy was set to."""
    name = card.name
    for setting in settings:
        name = name.removesuffix(f" {setting} {card.network.settings.get(setting)}")
    words = " ".join(f"{setting} {value}" for setting, value in settings.items())
    return f"{name[: LONGEST_NAME - len(words) - 1]} {words}"
